package cli

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

// A handler that gives up, as it does when nobody takes its answer, ends the answer and not
// the program: a server does the same.
func TestInProcessHandlersMayAbort(t *testing.T) {
	p := inProcess{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half") // what follows tells
		panic(http.ErrAbortHandler)
	})}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://in.process/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); string(text) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the answer is %q and ends with %v, want half of it and ErrUnexpectedEOF", text, err)
	}
}
