package runnel_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/runnel-dev/runnel"
)

func ExampleTracer() {
	// In a program it is an exporter for Jaeger, Tempo or what else speaks OTLP.
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))

	square := runnel.NewTask1("square", func(ctx context.Context, x int) (int, error) {
		trace.SpanFromContext(ctx).AddEvent("squaring") // the span of this attempt
		return x * x, nil
	})
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(square), runnel.Tracer(provider))
	if err != nil {
		panic(err)
	}
	fmt.Println(eng.Run(ctx, square.Send(6)))
	end(eng)

	for _, span := range kept.GetSpans() {
		fmt.Println(span.Name)
	}
	// Unordered output:
	// 36 <nil>
	// submit
	// attempt square
	// task square
	// run
}
