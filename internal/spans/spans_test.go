package spans_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/spans"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// Without a provider and a trace nothing is allocated.
func TestCostsNothing(t *testing.T) {
	m, ctx, job, at := spans.New(nil), t.Context(), new(api.Job), time.Now()
	n := testing.AllocsPerRun(100, func() {
		if text, done := m.Submit(ctx, "run"); text != "" || done != nil {
			t.Error("a submission has a trace")
		}
		if ctx, end := m.Begin("", job, at); ctx != nil || end != nil {
			t.Error("an attempt has a trace")
		}
	})
	if n > 0 || m.Makes() {
		t.Errorf("%v allocations, want none", n)
	}
}

// What a request names arrives in the context, in text, in the context of a body and
// in the requests made with that.
func TestCarries(t *testing.T) {
	for name, state := range map[string]string{"": "", "with a state": "vendor=opaque,other=1", "with one that is too long": "vendor=" + strings.Repeat("x", 250) + ",v=" + strings.Repeat("y", 250) + ",w=1234567890"} {
		t.Run(name, func(t *testing.T) {
			m := spans.New(nil)
			want := traceparent
			if len(state) > 0 && len(state) <= 512 {
				want += " " + state
			}
			var text, sent string
			far := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				sent = strings.TrimSpace(r.Header.Get("Traceparent") + " " + r.Header.Get("Tracestate"))
			}))
			defer far.Close()
			near := httptest.NewServer(spans.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				text, _ = m.Submit(r.Context(), "run")
			})))
			defer near.Close()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, near.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Traceparent", traceparent)
			req.Header.Set("Tracestate", state)
			do(t, http.DefaultTransport, req)
			if text != want {
				t.Errorf("the run's trace is %q, want %q", text, want)
			}
			ctx, _ := m.Begin(text, new(api.Job), time.Now())
			if !trace.SpanContextFromContext(ctx).IsRemote() {
				t.Error("a body's context has no trace")
			}
			req, err = http.NewRequestWithContext(ctx, http.MethodPost, far.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			do(t, spans.Transport(http.DefaultTransport), req)
			if sent != want {
				t.Errorf("a request of the body names %q, want %q", sent, want)
			}
		})
	}
}

// What makes no sense is no trace.
func TestDamaged(t *testing.T) {
	for _, text := range []string{"x", "00-0-0-0", traceparent[:50]} {
		ctx, _ := spans.New(nil).Begin(text, new(api.Job), time.Now())
		if trace.SpanContextFromContext(ctx).IsValid() {
			t.Errorf("%q is a trace", text)
		}
	}
	if trace.SpanContextFromContext(context.Background()).IsValid() {
		t.Error("nothing is a trace")
	}
}

func do(t *testing.T, by http.RoundTripper, req *http.Request) {
	t.Helper()
	resp, err := by.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}
