package runnel

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/runnel-dev/runnel/internal/spans"
)

// Tracer has this process make OpenTelemetry spans: of each run that is submitted
// here, of what ends here, and of each attempt that runs here. Bodies find their
// attempt's span in their context. Default: none are made, at no cost. With it or
// without, a run belongs to the trace that the context of its submission is part of,
// also after a restart, in other processes and on workers of a server. The file
// docs/observability.md lists spans and attributes.
func Tracer(provider trace.TracerProvider) OpenOption {
	return openOption(func(cfg *opening) error {
		cfg.spans = spans.New(provider)
		return nil
	})
}
