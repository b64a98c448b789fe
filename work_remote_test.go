package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

var silent = runnel.LogTo(slog.New(slog.DiscardHandler))

// server is an engine that is served, with no tasks of its own unless opts say so.
func server(t *testing.T, opts ...runnel.OpenOption) (url string, eng *runnel.Engine) {
	t.Helper()
	return serverOn(t, "memory:", opts...)
}

func serverOn(t *testing.T, dsn string, opts ...runnel.OpenOption) (url string, eng *runnel.Engine) {
	t.Helper()
	eng, err := runnel.Open(t.Context(), dsn, append([]runnel.OpenOption{silent}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(eng.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := eng.Close(ctx); err != nil {
			t.Error("server:", err)
		}
		srv.Close()
	})
	return srv.URL, eng
}

// works is a process that works for a server.
func works(t *testing.T, url string, opts ...runnel.OpenOption) *runnel.Engine {
	t.Helper()
	w, err := runnel.Open(t.Context(), url, append([]runnel.OpenOption{silent, runnel.Concurrency(8)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error("worker:", err)
		}
	})
	return w
}

var errNear = errors.New("near")

// What bodies can do elsewhere is what they can do.
func TestBodiesElsewhere(t *testing.T) {
	type state struct {
		N int `json:"n"`
	}
	var (
		square = runnel.NewTask1("square", func(_ context.Context, x int) (int, error) { return x * x, nil })
		pow    = runnel.NewTask2("minus", func(_ context.Context, x, y int) (int, error) { return x - y, nil })
		sum    = runnel.NewTask1("sum", func(_ context.Context, xs []int) (n int, _ error) {
			for _, x := range xs {
				n += x
			}
			return n, nil
		})
		named = runnel.NewTask0("named", func(context.Context) (int, error) { return 0, fmt.Errorf("so %w", errNear) })
		nones = runnel.NewTask0("nones", func(context.Context) (runnel.None, error) { return runnel.None{}, nil })
		tries atomic.Int32
		flaky = runnel.NewTask0("flaky", func(ctx context.Context) (int, error) {
			if n := int(tries.Add(1)); n < 3 {
				return 0, fmt.Errorf("try %d", n)
			}
			return runnel.TaskRun(ctx).Attempt, nil
		}, runnel.Retries(5))
		fatal = runnel.NewTask0("fatal", func(context.Context) (int, error) { tries.Add(1); return 0, errNear },
			runnel.Retries(5), runnel.RetryIf(func(err error) bool { return !errors.Is(err, errNear) }))
		panics = runnel.NewTask0("panics", func(context.Context) (int, error) { panic("ouch") })
		counts = runnel.NewTask0("counts", func(ctx context.Context) (runnel.None, error) {
			s := runnel.State[state](ctx)
			v, err := s.Get()
			if err != nil {
				return runnel.None{}, err
			}
			return runnel.None{}, s.Set(state{v.N + 1})
		})
		reads  = runnel.NewTask0("reads", func(ctx context.Context) (int, error) { v, err := runnel.State[state](ctx).Get(); return v.N, err })
		either = runnel.NewOrchestrator1("either", func(_ context.Context, x int) (runnel.Runnable[int], error) {
			if x > 3 {
				return runnel.Value(x), nil
			}
			return square.Send(x).ContinueWith(pow.With(1)), nil
		})
		both  = runnel.Combine("both", square, square)
		bodys atomic.Int32
		kept  = runnel.NewTask1("kept", func(_ context.Context, x int) (int, error) { bodys.Add(1); return x, nil }, runnel.CacheKey(runnel.InputHash))
		slow  = runnel.NewTask0("slow", func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, context.Cause(ctx) }, runnel.Timeout(50*time.Millisecond))
		says  = runnel.NewTask0("says", func(ctx context.Context) (string, error) {
			runnel.Logger(ctx).Info("hello", "x", 1)
			fmt.Fprintln(runnel.LogWriter(ctx), "printed")
			return runnel.IdempotencyKey(ctx), nil
		}, runnel.RunName(func(runnel.CallFacts) (string, error) { return "speech", nil }))
		keyed = runnel.NewTask0("keyed", func(ctx context.Context) (int, error) {
			k := runnel.Keyed[int](ctx)
			n, err := k.Get()
			if err != nil {
				return 0, err
			}
			return n + 1, k.Set(n + 1)
		}, runnel.TaskID("one"))
		occupies = runnel.NewTask0("occupies", func(ctx context.Context) (string, error) {
			release, err := runnel.Acquire(ctx, "license")
			if err != nil {
				return "", err
			}
			release()
			return "had it", nil
		})
	)
	tokens := make(chan string, 1)
	asks := runnel.NewTask0("asks", func(ctx context.Context) (string, error) {
		token, err := runnel.Token(ctx)
		if err != nil {
			return "", err
		}
		tokens <- token
		return "", runnel.Pending
	})
	done := make(chan api.State, 9)
	hooked := runnel.NewTask1("hooked", func(_ context.Context, ok bool) (int, error) {
		if !ok {
			return 0, errNear
		}
		return 1, nil
	}, runnel.OnCompletion(func(_ context.Context, run api.TaskRun) error { done <- run.State; return nil }),
		runnel.OnFailure(func(_ context.Context, run api.TaskRun) error { done <- run.State; return nil }))
	url, near := server(t, runnel.Errors("near", errNear))
	w := works(t, url, runnel.Errors("near", errNear), runnel.Register(square, pow, sum, named, nones, flaky, fatal, panics, counts, reads, either, both, kept, slow, says, keyed, occupies, asks, hooked))
	ctx := t.Context()

	check := func(name string, want any, run func() (any, error)) {
		t.Run(name, func(t *testing.T) {
			if got, err := run(); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
		})
	}
	check("a chain", 48, func() (any, error) { return w.Run(ctx, square.Send(7).ContinueWith(pow.With(1))) })
	check("a group", 285, func() (any, error) {
		var all []runnel.Pipeline[int]
		for i := range 10 {
			all = append(all, square.Send(i))
		}
		return w.Run(ctx, runnel.InParallel(all).ContinueWith(sum))
	})
	check("an each", 285, func() (any, error) {
		return w.Run(ctx, runnel.Value([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).ContinueWith(runnel.Each(square.With())).ContinueWith(sum))
	})
	check("spread", -3, func() (any, error) {
		return w.Run(ctx, runnel.InParallel2(square.Send(1), square.Send(2)).ContinueWith(pow.Spread()))
	})
	check("no result", "{}", func() (any, error) { return w.Run(ctx, nones.Send()) })
	check("retries", 3, func() (any, error) { return w.Run(ctx, flaky.Send()) })
	check("an orchestrator", 8, func() (any, error) { return w.Run(ctx, either.Send(3)) })
	check("its value", 5, func() (any, error) { return w.Run(ctx, either.Send(5)) })
	check("combined", 16, func() (any, error) { return w.Run(ctx, both.Send(2)) })
	check("state", 2, func() (any, error) {
		return w.Run(ctx, counts.Send().ContinueWith(counts.With()).ContinueWith(reads.With()).WithState(state{}))
	})
	check("keyed state", "[1 2]", func() (any, error) {
		a, err := w.Run(ctx, keyed.Send())
		if err != nil {
			return nil, err
		}
		b, err := w.Run(ctx, keyed.Send())
		return []int{a, b}, err
	})
	check("the cache", "[7 7 1]", func() (any, error) {
		a, err := w.Run(ctx, kept.Send(7))
		if err != nil {
			return nil, err
		}
		b, err := w.Run(ctx, kept.Send(7))
		return []int{a, b, int(bodys.Load())}, err
	})
	check("an answer from outside", "from outside", func() (any, error) {
		run, err := w.Submit(ctx, asks.Send())
		if err != nil {
			return nil, err
		}
		if err := near.Complete(ctx, <-tokens, "from outside"); err != nil {
			return nil, err
		}
		return run.Wait(ctx)
	})
	check("global limits", "had it", func() (any, error) {
		if err := near.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "license", Limit: 1}); err != nil {
			return nil, err
		}
		return w.Run(ctx, occupies.Send())
	})
	check("hooks", "[COMPLETED FAILED]", func() (any, error) {
		if _, err := w.Run(ctx, hooked.Send(true)); err != nil {
			return nil, err
		}
		first := <-done
		if _, err := w.Run(ctx, hooked.Send(false)); err == nil {
			return nil, errors.New("it did not fail")
		}
		return []api.State{first, <-done}, nil
	})
	t.Run("failures", func(t *testing.T) {
		if _, err := w.Run(ctx, named.Send()); !errors.Is(err, errNear) {
			t.Errorf("a named error came back as %v", err)
		}
		tries.Store(0)
		if _, err := w.Run(ctx, fatal.Send()); !errors.Is(err, errNear) || tries.Load() != 1 {
			t.Errorf("RetryIf said no: %v after %d attempts", err, tries.Load())
		}
		if _, err := w.Run(ctx, panics.Send()); !errors.Is(err, api.ErrPanic) || !strings.Contains(err.Error(), "ouch") {
			t.Errorf("a panic came back as %v", err)
		}
		if _, err := w.Run(ctx, slow.Send()); !errors.Is(err, runnel.ErrTimeout) {
			t.Errorf("a time-out came back as %v", err)
		}
	})
	t.Run("logs and names", func(t *testing.T) {
		run, err := w.Submit(ctx, says.Send())
		if err != nil {
			t.Fatal(err)
		}
		key, err := run.Wait(ctx)
		if err != nil || key != run.ID()+"/0" {
			t.Errorf("the idempotency key is %q, %v", key, err)
		}
		var lines []string
		for l, err := range near.Logs(ctx, api.LogFilter{Run: run.ID()}) {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, l.Text)
		}
		if want := []string{"hello x=1", "printed"}; !slices.Equal(lines, want) {
			t.Errorf("lines are %q, want %q", lines, want)
		}
		for task, err := range near.TaskRuns(ctx, api.TaskRunFilter{Run: run.ID()}) {
			if err != nil || task.Name != "speech" {
				t.Errorf("task run is named %q, %v", task.Name, err)
			}
		}
	})
}

// A flow of the server calls a task that only a worker knows, through a reference.
func TestFlowCallsElsewhere(t *testing.T) {
	far := runnel.NewTask1("far", func(_ context.Context, x int) (int, error) { return 10 * x, nil })
	flow := runnel.NewFlow1("flow", func(f runnel.Flow, n int) (int, error) {
		total := 0
		for i := range n {
			v, err := runnel.Ref1[int, int]("far").Call(f, i)
			if err != nil {
				return 0, err
			}
			total += v
		}
		return total, nil
	})
	url, near := server(t, runnel.Register(flow))
	if _, err := near.Submit(t.Context(), runnel.Ref1[int, int]("far").Send(1)); !errors.Is(err, runnel.ErrUnknownTask) {
		t.Errorf("before anybody knows the task: %v, want ErrUnknownTask", err)
	}
	works(t, url, runnel.Register(far))
	if got, err := near.Run(t.Context(), flow.Send(5)); err != nil || got != 100 {
		t.Errorf("got %d %v, want 100", got, err)
	}
}

// What nobody has the body of says so, and runs once somebody has.
func TestWaitsForWorkerElsewhere(t *testing.T) {
	far := runnel.NewTask0("far", func(context.Context) (string, error) { return "done", nil }, runnel.Queue("gpu"))
	url, near := server(t)
	w, err := runnel.Open(t.Context(), url, runnel.Register(far), runnel.Queues("gpu"), silent)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.Run(t.Context(), far.Send()); err != nil || got != "done" {
		t.Fatal(got, err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	run, err := near.Submit(t.Context(), far.Send())
	if err != nil {
		t.Fatal("what is known is not forgotten:", err)
	}
	why, err := near.Why(t.Context(), run.ID()+"/0")
	if want := `waits for a worker that knows task "far" and serves queue "gpu": there is none`; err != nil || why.String() != want {
		t.Errorf("it says %q %v, want %q", why, err, want)
	}
	other := works(t, url, runnel.Register(runnel.NewTask0("other", func(context.Context) (int, error) { return 1, nil })))
	if got, err := other.Run(t.Context(), runnel.Ref0[int]("other").Send()); err != nil || got != 1 {
		t.Error(got, err)
	}
	works(t, url, runnel.Register(far), runnel.Queues("gpu"))
	if got, err := run.Wait(t.Context()); err != nil || got != "done" {
		t.Error(got, err)
	}
}

// A program without places of its own has its tasks done by workers: also those of
// groups of which it passed children over before there were any.
func TestServerWithoutPlaces(t *testing.T) {
	square := runnel.NewTask1("square", func(_ context.Context, x int) (int, error) { return x * x, nil })
	gpu := runnel.NewTask1("gpu", func(_ context.Context, x int) (int, error) { return -x, nil }, runnel.Queue("gpu"))
	url, near := server(t, runnel.Register(square, gpu), runnel.Queues())
	var all []runnel.Pipeline[int]
	for i := range 50 {
		all = append(all, square.Send(i), gpu.Send(i))
	}
	run, err := near.Submit(t.Context(), runnel.InParallel(all, runnel.MaxParallelism(3)))
	if err != nil {
		t.Fatal(err)
	}
	single, err := near.Submit(t.Context(), square.Send(5))
	if err != nil {
		t.Fatal(err)
	}
	works(t, url, runnel.Register(square), runnel.Queues("default"))
	if got, err := single.Wait(t.Context()); err != nil || got != 25 {
		t.Error(got, err)
	}
	works(t, url, runnel.Register(gpu), runnel.Queues("gpu"))
	got, err := run.Wait(t.Context())
	if err != nil || len(got) != 100 || got[2*7] != 49 || got[2*7+1] != -7 {
		t.Errorf("got %v %v", got, err)
	}
}

// Two workers, many tasks and a limit, which is never passed.
func TestLimitElsewhere(t *testing.T) {
	const limit, tasks = 5, 300
	var running, most, twice atomic.Int32
	var seen sync.Map
	body := func(ctx context.Context, i int) (int, error) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		if _, was := seen.LoadOrStore(i, true); was {
			twice.Add(1)
		}
		return i, nil
	}
	url, near := server(t)
	if err := near.Limits().Create(t.Context(), "db", limit); err != nil {
		t.Fatal(err)
	}
	far := runnel.NewTask1("far", body, runnel.Tags("db"))
	works(t, url, runnel.Register(far))
	w := works(t, url, runnel.Register(far))
	var all []runnel.Pipeline[int]
	for i := range tasks {
		all = append(all, far.Send(i))
	}
	got, err := w.Run(t.Context(), runnel.InParallel(all))
	if err != nil || len(got) != tasks {
		t.Fatal(len(got), err)
	}
	if most.Load() > limit || twice.Load() > 0 {
		t.Errorf("%d bodies at a time under a limit of %d; %d ran twice", most.Load(), limit, twice.Load())
	}
}

// A cancellation reaches the body at once.
func TestCancelElsewhere(t *testing.T) {
	began, ended := make(chan bool), make(chan error, 1)
	far := runnel.NewTask0("far", func(ctx context.Context) (int, error) {
		began <- true
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return 0, ctx.Err()
	})
	url, eng := server(t)
	w := works(t, url, runnel.Register(far))
	run, err := w.Submit(t.Context(), far.Send())
	if err != nil {
		t.Fatal(err)
	}
	<-began
	_, there := httpGet(t, url+"/api/v1/workers")
	for task, err := range eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID()}) {
		if err != nil || task.Worker == "" || !strings.Contains(there, fmt.Sprintf(`"name":%q`, task.Worker)) {
			t.Errorf("it runs on %q, %v; workers are %s", task.Worker, err, there)
		}
	}
	at := time.Now()
	if err := run.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, runnel.ErrCancelled) {
		t.Errorf("the body was told %v, want ErrCancelled", err)
	}
	if took := time.Since(at); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := run.Wait(t.Context()); !errors.Is(err, runnel.ErrCancelled) {
		t.Errorf("the run gave %v", err)
	}
}

func TestWorkersAreListed(t *testing.T) {
	far := runnel.NewTask0("far", func(context.Context) (int, error) { return 1, nil }, runnel.Description("Far away."))
	url, _ := server(t)
	works(t, url, runnel.Register(far), runnel.Queues("gpu", "default"))
	_, body := httpGet(t, url+"/api/v1/workers")
	for _, want := range []string{`"remote":true`, `"concurrency":8`, `"queues":["gpu","default"]`, `"tasks":["far"]`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	worker := regexp.MustCompile(`"remote":true,[^}]*"memory":[1-9]`)
	for !worker.MatchString(body) { // it says so at its first heartbeat
		if t.Context().Err() != nil {
			t.Fatalf("the memory of the worker is not known: %s", body)
		}
		_, body = httpGet(t, url+"/api/v1/workers")
	}
	if _, body := httpGet(t, url+"/api/v1/flows/far"); !strings.Contains(body, `"Far away."`) {
		t.Errorf("the task is not listed: %s", body)
	}
	if _, body := httpGet(t, url+"/api/v1/queues"); !strings.Contains(body, `"name":"gpu"`) || !strings.Contains(body, `"workers":2`) {
		t.Errorf("the queue is not served: %s", body)
	}
}

// A worker over HTTP comes to rest when told to, and goes on when told so.
func TestWorkerOverHTTPIsDrained(t *testing.T) {
	var rests atomic.Bool
	far := runnel.NewTask0("far", func(context.Context) (bool, error) { return rests.Load(), nil })
	url, e := server(t)
	works(t, url, runnel.Register(far))
	var list struct {
		Items []struct {
			ID     string `json:"id"`
			Remote bool   `json:"remote"`
		} `json:"items"`
	}
	_, body := httpGet(t, url+"/api/v1/workers")
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	id := list.Items[len(list.Items)-1].ID
	tell := func(verb string) {
		t.Helper()
		resp, err := http.Post(url+"/api/v1/workers/"+id+"/"+verb, "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", verb, resp.Status)
		}
	}
	tell("drain")
	rests.Store(true)
	if _, body := httpGet(t, url+"/api/v1/workers/"+id); !strings.Contains(body, `"draining":true`) {
		t.Errorf("it does not drain: %s", body)
	}
	run, err := e.Submit(t.Context(), far.Send())
	if err != nil {
		t.Fatal(err)
	}
	if _, body := httpGet(t, url+"/api/v1/runs/"+run.ID()+"/why"); !strings.Contains(body, "waiting") {
		t.Errorf("it does not wait: %s", body)
	}
	rests.Store(false)
	tell("undrain")
	if began, err := run.Wait(t.Context()); err != nil || began {
		t.Errorf("it began at the worker that drains: %t, %v", began, err)
	}
}

func httpGet(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
