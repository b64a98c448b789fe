package httpapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// inProcess sends requests to a handler without a network.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestOpenAPI: a change of the API is a change of openapi.json, which is seen in
// review. -update writes it.
func TestOpenAPI(t *testing.T) {
	s := serve(t)
	status, _, text := s.get(t, "/api/v1/openapi.json")
	if status != http.StatusOK {
		t.Fatal(status, text)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, []byte(text), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if *update {
		if err := os.WriteFile("openapi.json", got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("openapi.json is not what the routes are: if that is meant, run go test ./internal/httpapi -run TestOpenAPI -update")
	}
}
