package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// lost is a connection whose client has gone.
type lost struct {
	*httptest.ResponseRecorder

	statuses int
}

func (l *lost) WriteHeader(int)           { l.statuses++ }
func (l *lost) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// A client that goes while it is answered. Of that huma makes another status.
func TestClientThatGoes(t *testing.T) {
	s := serve(t)
	h := httpapi.NewHandler(func() httpapi.Service { return s.Client }, httpapi.Options{Log: slog.New(slog.DiscardHandler)})
	defer h.Close()
	ctx, cancel := context.WithCancel(t.Context())
	w := &leaving{lost: lost{ResponseRecorder: httptest.NewRecorder()}, leave: cancel}
	defer func() {
		_ = recover()
		if w.statuses != 1 {
			t.Errorf("%d statuses were sent", w.statuses)
		}
	}()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/runs", nil))
}

// leaving is a connection whose client goes as soon as it hears the status.
type leaving struct {
	lost

	leave func()
}

func (l *leaving) WriteHeader(status int) {
	l.leave()
	l.lost.WriteHeader(status)
}

// A client that goes before it has its answer is nobody's mistake: nothing is logged, no
// second status is sent, and the connection is given up.
func TestClientThatHasGone(t *testing.T) {
	s := serve(t)
	s.ran(t, task("double", "1"))
	var logged bytes.Buffer
	h := httpapi.NewHandler(func() httpapi.Service { return s.Client }, httpapi.Options{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	defer h.Close()
	w := &lost{ResponseRecorder: httptest.NewRecorder()}
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the panic's value is this very one
			t.Errorf("the handler ended with %v, want %v", v, http.ErrAbortHandler)
		}
		if logged.Len() > 0 || w.statuses != 1 {
			t.Errorf("%d statuses were sent, and logged was %q", w.statuses, logged.String())
		}
	}()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/runs", nil))
}
