package engine_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

var countSeeds = flag.Int("countseeds", 50, "how many seeds TestLiveCounts runs")

// waitingWays are pipelines in which tasks wait in all ways.
var waitingWays = slices.Concat([]string{
	`{"value":[1,2,3,4,5,6,7]},{"each":{"steps":[{"task":"boom"}]},"max_parallelism":2}`,
	`{"value":[1,2,3,4,5,6,7]},{"each":{"steps":[{"value":2},{"task":"dbl"},{"task":"boom"},{"task":"mend","on":"error"}]}},{"task":"sum"}`,
	`{"value":[1,2,3,4,5,6]},{"each":{"steps":[{"task":"boom"}]},"fail_fast":true}`,
	`{"children":[{"steps":[{"task":"dbl","args":[1]}]},{"steps":[{"value":1}]},{"steps":[{"task":"add","args":[1,2],"options":{"start_after":"2s"}}]},
		{"steps":[{"children":[{"steps":[{"task":"dbl","args":[2]}]},{"steps":[{"task":"flaky","args":[3]}]}]},{"task":"sum"}]},
		{"steps":[{"task":"flaky","args":[3]},{"task":"dbl"}]},{"steps":[{"task":"boom","args":[3]}]}],"max_parallelism":2}`,
	`{"value":[1,2,3,4,5,6]},{"each":{"steps":[{"task":"flaky","options":{"tags":["a"]}}]}}`,
	`{"value":[1,2,3,4]},{"each":{"steps":[{"task":"dbl","options":{"queue":"gpu"}}]}}`,
	`{"children":[{"steps":[{"task":"dbl","args":[1],"options":{"queue":"gpu"}}]},{"steps":[{"task":"dbl","args":[1],"options":{"task_id":"x"}}]},
		{"steps":[{"task":"add","args":[1,1],"options":{"task_id":"x"}}]}]}`,
	`{"task":"add","args":[1,2],"options":{"start_after":"3s"}},{"task":"flaky"}`,
	`{"value":[1,2,3,4,5,6,7]},{"each":{"steps":[{"task":"dbl"},{"task":"boom"}]},"max_parallelism":2}`,
	`{"value":[1,2,3,4]},{"each":{"steps":[{"task":"parent"}]},"max_parallelism":3}`,
	`{"value":[1,2,1,2,5]},{"each":{"steps":[{"task":"kept","options":{"tags":["a"]}}]}}`,
}, specsOf(work))

func specsOf(work []struct{ name, spec, want string }) (specs []string) {
	for _, w := range work {
		specs = append(specs, w.spec[1:len(w.spec)-1])
	}
	return specs
}

// What is open of a run, by task name, is what a walk over all of it finds, whatever
// has happened: crashes, cancellations, pauses, retries.
func TestLiveCounts(t *testing.T) {
	var seen api.TaskCounts
	for seed := range uint64(*countSeeds) {
		w := &countWorld{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0), store: memory.Open()}
		w.open()
		for range 600 {
			w.step()
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		seen.Add(w.seen)
	}
	if seen.Pending == 0 || seen.Running == 0 || seen.Retrying == 0 || seen.Completed == 0 {
		t.Errorf("not all was seen: %+v", seen)
	}
	t.Logf("%+v", seen)
}

// countSignature knows two tasks more: parent returns a pipeline that fails, and is tried
// again for that; kept is cached.
func countSignature(task string) *pipeline.Signature {
	s := signature(task)
	switch task {
	case "parent":
		s.Params, s.Options.Retry = []string{"integer"}, &api.RetryPolicy{Max: 2, Child: true, Delays: retry.Delays}
	case "kept":
		s.Params, s.Cached = []string{"integer"}, true
	}
	return s
}

func countBody(job *api.Job) api.Answer {
	steps := map[int]string{
		1: `{"children":[{"steps":[{"task":"dbl","args":[1]}]},{"steps":[{"task":"boom","args":[1]}]}],"max_parallelism":1}`,
		2: `{"task":"boom","args":[1]}`,
	}[job.Attempt]
	if job.Task != "parent" || steps == "" {
		return body(job)
	}
	spec, err := api.ParseSpec([]byte(`{"runnel":1,"steps":[` + steps + `]}`))
	if err != nil {
		panic(err)
	}
	return api.Answer{Pipeline: spec}
}

type countWorld struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Time
	store *memory.Store
	e     *engine.Engine
	held  []*api.Job
	runs  []string
	seen  api.TaskCounts // summed over all looks
}

func (w *countWorld) open() {
	cfg := engine.Config{
		Store: w.store, Registry: countSignature, Manual: true, Now: func() time.Time { return w.now }, Random: w.rng.Uint64,
		Queues: []string{"default"},
	}
	if w.rng.IntN(4) == 0 {
		cfg.Queues = nil
	}
	e, err := engine.New(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.e, w.held = e, nil
	if err := w.e.SetLimit(w.t.Context(), "a", 2); err != nil {
		w.t.Fatal(err)
	}
}

func (w *countWorld) step() {
	ctx := w.t.Context()
	switch n := w.rng.IntN(100); {
	case n < 4 && len(w.runs) < 5:
		spec, err := api.ParseSpec([]byte(`{"runnel":1,"steps":[` + waitingWays[w.rng.IntN(len(waitingWays))] + `]}`))
		if err != nil {
			w.t.Fatal(err)
		}
		id, err := w.e.Enqueue(ctx, spec, "")
		if err != nil {
			w.t.Fatal(err)
		}
		w.e.CommitStep()
		w.runs = append(w.runs, id)
	case n < 5:
		w.open()
	case n < 9 && len(w.runs) > 0: // what the state does not allow is refused
		id := w.runs[w.rng.IntN(len(w.runs))]
		_ = []func() error{
			func() error { return w.e.Cancel(ctx, id) }, func() error { return w.e.Pause(ctx, id) },
			func() error { return w.e.Resume(ctx, id) }, func() error { return w.e.Retry(ctx, id) },
		}[w.rng.IntN(4)]()
	case n < 25:
		w.e.CommitStep()
	case n < 40:
		w.e.AdvanceStep()
	case n < 45:
		w.e.CloseStep()
	case n < 65:
		if job, err := w.e.TryClaim(ctx); err != nil {
			w.t.Fatal(err)
		} else if job != nil && (job.Task != "kept" || w.e.Cached(job, api.CacheUse{Key: string(job.Input)})) {
			w.e.Begin(job, func(error) {})
			w.held = append(w.held, job)
		}
	case n < 85 && len(w.held) > 0:
		i := w.rng.IntN(len(w.held))
		w.e.Finish(w.held[i], countBody(w.held[i]))
		w.held = slices.Delete(w.held, i, i+1)
	case n < 93:
		if at, ok := w.e.NextTimer(); ok {
			if at.After(w.now) {
				w.now = at
			}
			w.e.Tick()
		}
	default:
		w.check()
	}
}

func (w *countWorld) check() {
	for w.e.CommitStep() || w.e.AdvanceStep() {
	}
	for _, id := range w.runs {
		run, err := w.e.Status(w.t.Context(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		want, got := w.e.Recount(id), map[string]api.TaskCounts{}
		for name, n := range run.Tasks {
			w.seen.Add(n)
			if open := (api.TaskCounts{Pending: n.Pending, Running: n.Running, Retrying: n.Retrying}); open != (api.TaskCounts{}) {
				got[name] = open
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			w.t.Errorf("run %s, %s: open are %v, want %v", id, run.State, got, want)
		}
	}
}
