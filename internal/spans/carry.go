package spans

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

var format propagation.TraceContext

// maxState is how long a tracestate may be to be kept: what the specification wants
// carried at least.
const maxState = 512

const (
	parentKey = "traceparent"
	stateKey  = "tracestate"
)

// textOf gives the trace that ctx is part of as text, "" for none.
func textOf(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	m := propagation.MapCarrier{}
	format.Inject(ctx, m)
	if state := m[stateKey]; state != "" && len(state) <= maxState {
		return m[parentKey] + " " + state
	}
	return m[parentKey]
}

// within gives a context that is part of a trace; nil if that is none.
func within(text string) context.Context {
	if text == "" {
		return nil
	}
	parent, state, _ := strings.Cut(text, " ")
	return format.Extract(context.Background(), propagation.MapCarrier{parentKey: parent, stateKey: state}) //nolint:forbidigo // it is to outlive all
}

// Handler has h serve requests as part of the traces that they name, unless somebody
// before it has seen to that.
func Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") != "" && !trace.SpanContextFromContext(r.Context()).IsValid() {
			r = r.WithContext(format.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
		}
		h.ServeHTTP(w, r)
	})
}

// transport names the trace of each request's context to the server.
type transport struct{ http.RoundTripper }

// Transport has requests name the traces that they are part of.
func Transport(t http.RoundTripper) http.RoundTripper { return transport{t} }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if trace.SpanContextFromContext(r.Context()).IsValid() && r.Header.Get("Traceparent") == "" {
		r = r.Clone(r.Context())
		format.Inject(r.Context(), propagation.HeaderCarrier(r.Header))
	}
	return t.RoundTripper.RoundTrip(r)
}
