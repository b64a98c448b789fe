package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// tracer gives a provider and what keeps its spans.
func tracer(t *testing.T) (*sdktrace.TracerProvider, *tracetest.InMemoryExporter) {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	t.Cleanup(func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) })
	return p, kept
}

// traced opens an engine; end closes it, so that all spans are there.
func traced(t *testing.T, dsn string, opts ...runnel.OpenOption) (eng *runnel.Engine, end func()) {
	t.Helper()
	eng, err := runnel.Open(t.Context(), dsn, append([]runnel.OpenOption{silent}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		if err := eng.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return eng, end
}

// outline says what spans there are: each with its parent's name, if that is one of
// them, sorted.
func outline(spans tracetest.SpanStubs) []string {
	names := map[trace.SpanID]string{}
	for _, s := range spans {
		names[s.SpanContext.SpanID()] = s.Name
	}
	var lines []string
	for _, s := range spans {
		line := s.Name
		if s.Parent.IsValid() {
			line = names[s.Parent.SpanID()] + " > " + line
		}
		if s.Status.Code == codes.Error {
			line += ": " + s.Status.Description
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func attributeOf(s tracetest.SpanStub, key attribute.Key) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

func TestTracerSpans(t *testing.T) {
	provider, kept := tracer(t)
	tries := 0
	shaky := runnel.NewTask0("shaky", func(ctx context.Context) (int, error) {
		_, span := provider.Tracer("mine").Start(ctx, "inside")
		defer span.End()
		if tries++; tries == 1 {
			return 0, errors.New("not yet")
		}
		return 20, nil
	}, runnel.Retries(1))
	double := runnel.NewTask1("double", func(_ context.Context, x int) (int, error) { return 2 * x, nil })
	calls := runnel.NewFlow0("calls", func(f runnel.Flow) (int, error) {
		_, span := provider.Tracer("mine").Start(f, "in the flow")
		defer span.End()
		return double.Call(f, 1)
	})
	eng, end := traced(t, "memory:", runnel.Register(shaky, double, calls), runnel.Tracer(provider))
	ctx, caller := provider.Tracer("mine").Start(t.Context(), "caller")
	if got, err := eng.Run(ctx, shaky.Send().ContinueWith(double)); got != 40 || err != nil {
		t.Fatal(got, err)
	}
	if got, err := eng.Run(ctx, calls.Send()); got != 2 || err != nil {
		t.Fatal(got, err)
	}
	caller.End()
	end()
	spans := kept.GetSpans()
	want := []string{
		"attempt calls > in the flow", "attempt shaky > inside", "attempt shaky > inside", "caller", "caller > submit", "caller > submit",
		"submit > attempt calls", "submit > attempt double", "submit > attempt double", "submit > attempt shaky", "submit > attempt shaky: not yet",
		"submit > run", "submit > run", "submit > task calls", "submit > task double", "submit > task double", "submit > task shaky",
	}
	if got := outline(spans); !slices.Equal(got, want) {
		t.Errorf("the spans are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, s := range spans {
		if s.SpanContext.TraceID() != caller.SpanContext().TraceID() {
			t.Errorf("%s is of another trace", s.Name)
		}
		if s.StartTime.IsZero() || s.EndTime.Before(s.StartTime) {
			t.Errorf("%s is from %v to %v", s.Name, s.StartTime, s.EndTime)
		}
	}
	for _, want := range []string{"attempt shaky 1 /0 *errors.errorString exception", "task shaky 2 /0  "} {
		if !slices.ContainsFunc(spans, func(s tracetest.SpanStub) bool {
			_, at, _ := strings.Cut(attributeOf(s, "runnel.task_run.id"), "/")
			event := ""
			if len(s.Events) > 0 {
				event = s.Events[0].Name
			}
			return fmt.Sprintf("%s %s /%s %s %s", s.Name, attributeOf(s, "runnel.attempt")+attributeOf(s, "runnel.attempts"), at,
				attributeOf(s, "error.type"), event) == want
		}) {
			t.Errorf("there is no span %q", want)
		}
	}
}

// What fails is an error of the run, of the task run and of each attempt; what is
// submitted outside of any trace is one of its own.
func TestTracerFailure(t *testing.T) {
	provider, kept := tracer(t)
	bad := runnel.NewTask0("bad", func(context.Context) (int, error) { panic("broken") })
	eng, end := traced(t, "memory:", runnel.Register(bad), runnel.Tracer(provider))
	if _, err := eng.Run(t.Context(), bad.Send()); err == nil {
		t.Fatal("it does not fail")
	}
	if _, err := eng.Run(t.Context(), runnel.Ref0[int]("unknown").Send()); err == nil {
		t.Fatal("it does not fail")
	}
	end()
	want := []string{"submit", "submit > attempt bad: panic: broken", "submit > run: panic: broken", "submit > task bad: panic: broken"}
	if got := outline(kept.GetSpans()); !slices.Equal(got, want) {
		t.Errorf("the spans are %q, want %q", got, want)
	}
	for _, s := range kept.GetSpans() {
		if s.Name != "attempt bad" {
			continue
		}
		stack := ""
		for _, a := range s.Events[0].Attributes {
			if a.Key == "exception.stacktrace" {
				stack = a.Value.AsString()
			}
		}
		if !strings.Contains(stack, "TestTracerFailure") {
			t.Errorf("the panic's stack is %q", stack)
		}
	}
}

const traceKillVariable = "RUNNEL_TRACE_KILL" // the database of the process to kill

// A process is killed in the midst of a run; the attempts after it are of the same
// trace.
func TestTraceSurvivesKill(t *testing.T) {
	stuck := func(begun func(context.Context)) runnel.Task0[string] {
		return runnel.NewTask0("stuck", func(ctx context.Context) (string, error) {
			begun(ctx)
			return trace.SpanContextFromContext(ctx).TraceID().String(), nil
		})
	}
	if dsn := os.Getenv(traceKillVariable); dsn != "" {
		provider, _ := tracer(t)
		task := stuck(func(ctx context.Context) {
			_, _ = os.Stdout.WriteString("trace " + trace.SpanContextFromContext(ctx).TraceID().String() + "\n")
			select {} // until it is killed
		})
		eng, _ := traced(t, dsn, runnel.Register(task), runnel.Tracer(provider))
		_, err := eng.Run(t.Context(), task.Send())
		t.Fatal(err)
	}
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "runs.db")
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestTraceSurvivesKill$")
	other.Env = append(os.Environ(), traceKillVariable+"="+dsn)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	var id string
	if _, err := fmt.Fscanf(out, "trace %s\n", &id); err != nil || len(id) != 32 {
		t.Fatalf("%q %v", id, err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	provider, kept := tracer(t)
	eng, end := traced(t, dsn, runnel.Register(stuck(func(context.Context) {})), runnel.Tracer(provider))
	for run, err := range eng.Runs(t.Context(), api.RunFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		again, err := eng.Attach[string](t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.Wait(t.Context()); got != id || err != nil {
			t.Errorf("the body after the restart has trace %s %v, want %s", got, err, id)
		}
	}
	end()
	spans := kept.GetSpans()
	if got, want := outline(spans), []string{" > attempt stuck", " > run", " > task stuck"}; !slices.Equal(got, want) {
		t.Errorf("after the restart the spans are %q, want %q", got, want)
	}
	for _, s := range spans {
		if s.SpanContext.TraceID().String() != id || !s.Parent.IsRemote() {
			t.Errorf("%s is of trace %s, want %s", s.Name, s.SpanContext.TraceID(), id)
		}
	}
}

// The trace that a request names goes to the server's bodies, and to those of its
// workers, whether or not anybody makes spans.
func TestTraceOverHTTP(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	seen := make(chan string, 1)
	see := func(name string) runnel.AnyTask {
		return runnel.NewTask0(name, func(ctx context.Context) (int, error) {
			seen <- trace.SpanContextFromContext(ctx).TraceID().String()
			return 0, nil
		})
	}
	url, _ := server(t, runnel.Register(see("near")))
	provider, kept := tracer(t)
	worker := works(t, url, runnel.Register(see("far")), runnel.Tracer(provider))
	for _, task := range []string{"near", "far"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v1/runs", strings.NewReader(`{"pipeline":{"runnel":1,"steps":[{"task":"`+task+`"}]}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Traceparent", "00-"+id+"-b7ad6b7169203331-01")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %s %s", task, resp.Status, text)
		}
		select {
		case got := <-seen:
			if got != id {
				t.Errorf("the body of %s has trace %s, want %s", task, got, id)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no body of " + task)
		}
	}
	// What is submitted through the server by a program of ours is of its trace too.
	ctx, span := provider.Tracer("mine").Start(t.Context(), "caller")
	run, err := worker.Submit(ctx, runnel.Ref0[int]("near").Send())
	if err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != span.SpanContext().TraceID().String() {
		t.Errorf("the body has trace %s, want %s", got, span.SpanContext().TraceID())
	}
	if _, err := run.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	span.End()
	if err := worker.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got, want := outline(kept.GetSpans()), []string{" > attempt far", "caller"}; !slices.Equal(got, want) {
		t.Errorf("the worker's spans are %q, want %q", got, want)
	}
}

// Processes that share a database hand the trace on: by SubmitTx or as one that only
// submits, and to bodies that run beside the engine of their run.
func TestTraceElsewhere(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	header := http.Header{"Traceparent": {"00-" + id + "-b7ad6b7169203331-01"}}
	ctx := propagation.TraceContext{}.Extract(t.Context(), propagation.HeaderCarrier(header))
	dsn := pgtest.DSN(t)
	see := func(name string, opts ...runnel.TaskOption) runnel.Task0[string] {
		return runnel.NewTask0(name, func(ctx context.Context) (string, error) {
			return trace.SpanContextFromContext(ctx).TraceID().String(), nil
		}, opts...)
	}
	tasks := runnel.Register(see("here"), see("there", runnel.Queue("there")))
	here, _ := traced(t, dsn, tasks, runnel.Queues("default"))
	traced(t, dsn, tasks, runnel.Queues("there"))
	sender, _ := traced(t, dsn, tasks, runnel.Queues())
	pool, err := pgxpool.New(t.Context(), pgtest.Server(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	pair := runnel.InParallel([]runnel.Pipeline[string]{see("here").Send(), see("there", runnel.Queue("there")).Send()})
	check := func(how string, run *runnel.Run[[]string], err error) {
		if err != nil {
			t.Fatal(how, err)
		}
		if got, err := run.Wait(t.Context()); err != nil || !slices.Equal(got, []string{id, id}) {
			t.Errorf("%s: the bodies have traces %q %v, want %s", how, got, err, id)
		}
	}
	run, err := here.Submit(ctx, pair)
	check("with an engine", run, err)
	run, err = sender.Submit(ctx, pair)
	check("from one that only submits", run, err)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name, err := here.SubmitTx(ctx, tx, pair)
	if err := errors.Join(err, tx.Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
	run, err = here.Attach[[]string](t.Context(), name)
	check("by a transaction", run, err)
}
