package httpapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// What the tests run.
var (
	double = runnel.NewTask1("double", func(ctx context.Context, x int) (int, error) {
		runnel.Logger(ctx).Info("doubling", "x", x)
		return 2 * x, nil
	}, runnel.Tags("math"))
	fails = runnel.NewTask0("fails", func(ctx context.Context) (int, error) {
		runnel.Logger(ctx).Warn("it will not do")
		return 0, errors.New("no luck")
	})
	asks = runnel.NewTask0("asks", func(ctx context.Context) (string, error) {
		token, err := runnel.Token(ctx)
		if err != nil {
			return "", err
		}
		tokens <- token
		return "", runnel.Pending
	})
	kept = runnel.NewTask1("kept", func(_ context.Context, x int) (int, error) { return x, nil }, runnel.CacheKey(runnel.InputHash))
	held = runnel.NewTask0("held", func(ctx context.Context) (int, error) {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-gate:
			return 1, nil
		}
	})
	talks = runnel.NewTask0("talks", func(ctx context.Context) (int, error) {
		runnel.Logger(ctx).Info("still here")
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-gate:
			return 1, nil
		}
	})
	tokens = make(chan string, 10)
	gate   = make(chan struct{})
)

// served is an engine behind a server, and a client of it.
type served struct {
	*httpapi.Client

	eng *runnel.Engine
	url string
}

func serve(t *testing.T, opts ...runnel.HandlerOption) *served {
	t.Helper()
	eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(double, fails, asks, kept, held, talks),
		runnel.LogTo(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(eng.Handler(opts...))
	c, err := httpapi.NewClient(srv.URL, httpapi.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel() // bodies that are held are not waited for
		_ = eng.Close(ctx)
		srv.Close()
	})
	return &served{Client: c, eng: eng, url: srv.URL}
}

// task is a pipeline of one task without arguments, or with one.
func task(name string, args ...string) *api.Spec {
	c := &api.Call{Task: name}
	for _, a := range args {
		c.Args = append(c.Args, []byte(a))
	}
	return &api.Spec{Steps: []api.Step{{Call: c}}}
}

// ran submits a pipeline and waits for its end.
func (s *served) ran(t *testing.T, spec *api.Spec) (string, httpapi.Outcome) {
	t.Helper()
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return id, out
}

// get asks for a path as it stands.
func (s *served) get(t *testing.T, path string) (int, http.Header, string) {
	t.Helper()
	return s.request(t, http.MethodGet, path, "", nil)
}
