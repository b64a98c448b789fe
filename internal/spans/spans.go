package spans

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/runnel-dev/runnel/api"
)

// The attributes that are Runnel's own.
const (
	runKey         = attribute.Key("runnel.run.id")
	runNameKey     = attribute.Key("runnel.run.name")
	taskRunKey     = attribute.Key("runnel.task_run.id")
	taskRunNameKey = attribute.Key("runnel.task_run.name")
	taskKey        = attribute.Key("runnel.task")
	attemptKey     = attribute.Key("runnel.attempt")
	attemptsKey    = attribute.Key("runnel.attempts")
	generationKey  = attribute.Key("runnel.generation")
	stateNameKey   = attribute.Key("runnel.state")
	pendingKey     = attribute.Key("runnel.pending")
	interruptedKey = attribute.Key("runnel.interrupted")
	scheduleKey    = attribute.Key("runnel.schedule")
)

// Those that the semantic conventions name.
const (
	errorType        = attribute.Key("error.type")
	exceptionType    = attribute.Key("exception.type")
	exceptionMessage = attribute.Key("exception.message")
	exceptionStack   = attribute.Key("exception.stacktrace")
)

// Maker makes the spans. One without a tracer only carries traces.
type Maker struct {
	tracer trace.Tracer // nil: none
}

// New makes a Maker; of a nil provider one that only carries.
func New(p trace.TracerProvider) *Maker {
	if p == nil {
		return new(Maker)
	}
	return &Maker{p.Tracer("github.com/runnel-dev/runnel")}
}

// Makes reports whether it makes spans.
func (m *Maker) Makes() bool { return m.tracer != nil }

// Submit begins the span of a run's submission, which ends with done, and gives the
// trace that the run is part of.
func (m *Maker) Submit(ctx context.Context, name string) (text string, done func(error)) {
	if m.tracer == nil {
		return textOf(ctx), nil
	}
	ctx, span := m.tracer.Start(ctx, "submit", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(runNameKey.String(name))) //nolint:spancheck // done ends it
	return textOf(ctx), func(err error) {                                                                                                 //nolint:spancheck // the same
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// Begin begins the span of an attempt. See worker.Tracer.
func (m *Maker) Begin(text string, job *api.Job, at time.Time) (context.Context, func(*api.Answer)) {
	ctx := within(text)
	if m.tracer == nil {
		return ctx, nil
	}
	if ctx == nil {
		ctx = context.Background() //nolint:forbidigo // the engine ends bodies, not who submitted them
	}
	ctx, span := m.tracer.Start(ctx, "attempt "+job.Task, //nolint:spancheck // what is given back ends it
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(at), trace.WithAttributes(
			runKey.String(job.Run), taskRunKey.String(job.ID), taskKey.String(job.Task),
			attemptKey.Int(job.Attempt), generationKey.Int(job.Generation),
		))
	return ctx, func(a *api.Answer) { //nolint:spancheck // the same
		switch {
		case a.Interrupted:
			span.SetAttributes(interruptedKey.Bool(true))
		case a.Failure != nil:
			fail(span, a.Failure, a.Ended)
		case a.Pending:
			span.SetAttributes(pendingKey.Bool(true))
		}
		span.End(trace.WithTimestamp(a.Ended))
	}
}

// RunEnded makes the span of a run. See engine.Spans.
func (m *Maker) RunEnded(text string, run *api.Run) {
	attributes := []attribute.KeyValue{
		runKey.String(run.ID), runNameKey.String(run.Name), stateNameKey.String(run.State.String()), generationKey.Int(run.Generation),
	}
	if run.Schedule != nil {
		attributes = append(attributes, scheduleKey.String(run.Schedule.Name))
	}
	m.ended(text, "run", run.Created, run.Finished, run.State, run.Failure, attributes)
}

// TaskRunEnded makes the span of a task run. See engine.Spans.
func (m *Maker) TaskRunEnded(text string, run *api.TaskRun) {
	from := run.Started
	if from.IsZero() { // no body of it began
		from = run.Finished
	}
	m.ended(text, "task "+run.Task, from, run.Finished, run.State, run.Failure, []attribute.KeyValue{
		runKey.String(run.Run), taskRunKey.String(run.ID), taskRunNameKey.String(run.Name), taskKey.String(run.Task),
		stateNameKey.String(run.StateName), attemptsKey.Int(run.Attempt), generationKey.Int(run.Generation),
	})
}

// ended makes a span of what is over.
func (m *Maker) ended(text, name string, from, to time.Time, state api.State, failure *api.Failure, attributes []attribute.KeyValue) {
	ctx := within(text)
	if ctx == nil {
		ctx = context.Background() //nolint:forbidigo // what is over can't be cancelled
	}
	_, span := m.tracer.Start(ctx, name, trace.WithTimestamp(from), trace.WithAttributes(attributes...))
	if state == api.Failed && failure != nil {
		fail(span, failure, to)
	}
	span.End(trace.WithTimestamp(to))
}

// fail records why something failed, as the conventions for exceptions want it.
func fail(span trace.Span, f *api.Failure, at time.Time) {
	kind := f.Type
	if f.Code != "" {
		kind = string(f.Code)
	}
	span.SetStatus(codes.Error, f.Message)
	span.SetAttributes(errorType.String(kind))
	attributes := []attribute.KeyValue{exceptionType.String(f.Type), exceptionMessage.String(f.Message)}
	if f.Stack != "" {
		attributes = append(attributes, exceptionStack.String(f.Stack))
	}
	span.AddEvent("exception", trace.WithTimestamp(at), trace.WithAttributes(attributes...))
}
