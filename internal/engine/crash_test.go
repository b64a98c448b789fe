package engine_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

var (
	seeds = flag.Int("seeds", map[bool]int{false: 300, true: 30}[raceDetector], "how many seeds TestCrashes runs")
	first = flag.Uint64("seed", 1, "the first of them")
)

// work are pipelines with the result that each must have, whatever crashes.
var work = []struct{ name, spec, want string }{
	{"chain", `[{"task":"add","args":[1,2]},{"task":"dbl"}]`, `6`},
	{"group", `[{"children":[{"steps":[{"task":"add","args":[1,2]}]},
		{"steps":[{"task":"dbl","args":[4]},{"task":"dbl"}]},{"steps":[{"task":"flaky","args":[7]}]}]},{"task":"sum"}]`, `26`},
	{"each", `[{"task":"list","args":[20]},{"each":{"steps":[{"task":"dbl"}]},"max_parallelism":3},{"task":"sum"}]`, `380`},
	{"each chain", `[{"task":"list","args":[8]},{"each":{"steps":[{"task":"flaky"},{"task":"dbl"}]}},{"task":"sum"}]`, `56`},
	{"handled", `[{"children":[{"steps":[{"task":"boom","args":[1]}]},{"steps":[{"task":"add","args":[1,1]}]}]},
		{"task":"sum"},{"task":"mend","on":"error"},{"task":"dbl"}]`, `-2`},
	{"recursion", `[{"task":"count","args":[0]},{"task":"dbl"}]`, `10`},
	{"tail recursion", `[{"task":"count","args":[0]}]`, `5`},
	{"each recursion", `[{"task":"list","args":[6]},{"each":{"steps":[{"task":"count"}]}},{"task":"sum"}]`, `30`},
	{"nested", `[{"children":[{"steps":[{"children":[{"steps":[{"value":3}]},{"steps":[{"task":"dbl","args":[2]}]}]},{"task":"sum"}]},
		{"steps":[{"children":[]},{"task":"sum"}]}]},{"task":"sum"}]`, `7`},
	{"empty groups", `[{"children":[{"steps":[{"children":[]}]},{"steps":[{"children":[]}]}]}]`, `[]`},
	{"settle", `[{"children":[{"steps":[{"task":"dbl","args":[1]}]},{"steps":[{"value":5}]}],"settle":true}]`, `[{"value":2},{"value":5}]`},
	{"handler chain", `[{"task":"boom","args":[1]},{"chain":{"steps":[{"task":"mend"},{"task":"dbl"}]},"on":"error"},{"task":"dbl"}]`, `-4`},
}

// world is one seed: a store that survives, an engine that does not.
type world struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Time
	store *memory.Store
	e     *engine.Engine
	held  []*api.Job // claimed and not answered
	lives int
	ran   map[string]int // attempt of a task run -> life of the engine it ran in
	want  map[string]string
	told  map[string]api.TaskRun // how task runs ended, as the workers were told
}

func TestCrashes(t *testing.T) {
	for seed := *first; seed < *first+uint64(*seeds); seed++ {
		w := &world{
			t: t, rng: rand.New(rand.NewPCG(seed, 0)), now: time.Unix(1e9, 0), store: memory.Open(),
			ran: map[string]int{}, want: map[string]string{}, told: map[string]api.TaskRun{},
		}
		w.open()
		w.play()
		if t.Failed() {
			t.Fatalf("again: go test ./internal/engine -run TestCrashes -seeds 1 -seed %d", seed)
		}
	}
}

func (w *world) open() {
	e, err := engine.New(w.t.Context(), engine.Config{
		Store: w.store, Registry: signature, Manual: true,
		Now: func() time.Time { return w.now }, Random: w.rng.Uint64, Told: w.hear,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.e, w.held = e, nil
	w.lives++
}

// play submits everything at random moments, crashes at random moments, and
// ends when nothing is left to do.
func (w *world) play() {
	todo := w.rng.Perm(len(work))
	crashes := w.rng.IntN(6)
	for range 100_000 {
		switch n := w.rng.IntN(100); {
		case n < 3 && len(todo) > 0:
			w.submit(todo[0])
			todo = todo[1:]
		case n < 4 && crashes > 0:
			crashes--
			w.open()
		case n < 30:
			w.e.CommitStep()
		case n < 50:
			w.e.AdvanceStep()
		case n < 60:
			w.e.CloseStep()
		case n < 75:
			w.claim()
		case n < 98:
			w.answer()
		default:
			if !w.tick() && len(todo) == 0 && w.done() {
				return
			}
		}
	}
	w.t.Error("not everything ended: a wake-up was lost")
}

func (w *world) submit(i int) {
	spec, err := api.ParseSpec([]byte(`{"runnel":1,"steps":` + work[i].spec + `}`))
	if err != nil {
		w.t.Fatal(work[i].name, err)
	}
	id, err := w.e.Enqueue(w.t.Context(), spec, work[i].name)
	if err != nil {
		w.t.Fatal(work[i].name, err)
	}
	// A run that a crash took before its commit never was.
	w.e.CommitStep()
	w.want[id] = work[i].want
}

func (w *world) claim() {
	job, err := w.e.TryClaim(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if job == nil {
		return
	}
	if _, known := w.want[job.Run]; !known {
		w.t.Errorf("%s started before its run was durable", job.ID)
	}
	key := fmt.Sprintf("%s %s #%d", job.ID, job.Task, job.Attempt)
	if life := w.ran[key]; life == w.lives {
		w.t.Errorf("%s was started twice without a crash between", key)
	}
	w.ran[key] = w.lives
	w.e.Begin(job, func(error) {})
	w.held = append(w.held, job)
}

// answer answers a job that is held, now and then twice.
func (w *world) answer() {
	if len(w.held) == 0 {
		return
	}
	i := w.rng.IntN(len(w.held))
	job := w.held[i]
	a := body(job)
	w.e.Finish(job, a)
	if w.rng.IntN(10) == 0 {
		w.e.Finish(job, a)
	}
	w.held = append(w.held[:i], w.held[i+1:]...)
}

// tick moves time to the next timer.
func (w *world) tick() bool {
	at, ok := w.e.NextTimer()
	if !ok {
		return false
	}
	if at.After(w.now) {
		w.now = at
	}
	w.e.Tick()
	return true
}

// done reports whether all runs have ended, and checks how.
func (w *world) done() bool {
	for id := range w.want {
		run, err := w.e.Status(w.t.Context(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		if !run.State.Final() {
			return false
		}
	}
	for id, want := range w.want {
		out, err := w.e.Result(w.t.Context(), id)
		if err != nil || out.State != api.Completed || string(out.Result) != want {
			w.t.Errorf("run %s: %v %s %v %v, want %s", id, out.State, out.Result, out.Failure, err, want)
		}
		for run, err := range w.e.TaskRuns(w.t.Context(), api.TaskRunFilter{Run: id}) {
			if _, told := w.told[run.ID]; err != nil || !told && w.lives == 1 {
				w.t.Errorf("nobody was told how %s ended: %s %v", run.ID, run.State, err)
			}
		}
	}
	return true
}

var retry = &api.RetryPolicy{Max: 2, Delays: []api.Duration{api.Duration(time.Second)}}

func signature(task string) *pipeline.Signature {
	params := map[string]string{
		"add": "integer number", "dbl": "integer", "sum": "array", "list": "integer",
		"flaky": "integer", "boom": "integer", "mend": "object", "count": "integer",
	}[task]
	s := &pipeline.Signature{Told: true, Name: task, Params: strings.Fields(params), Result: "any", Check: func(int, []byte) error { return nil }}
	if task == "flaky" {
		s.Options.Retry = retry
	}
	return s
}

// body is what the tasks do.
func body(job *api.Job) api.Answer {
	var x, y, sum int
	var xs []int
	args := job.Bound
	if job.Input != nil {
		args = append(api.Args{job.Input}, args...)
	}
	switch job.Task {
	case "sum":
		_ = json.Unmarshal(args[0], &xs)
		for _, x := range xs {
			sum += x
		}
		return number(sum)
	case "mend":
		return number(-1)
	}
	_ = json.Unmarshal(args[0], &x)
	switch job.Task {
	case "add":
		_ = json.Unmarshal(args[1], &y)
		return number(x + y)
	case "list":
		for i := range x {
			xs = append(xs, i)
		}
		data, _ := json.Marshal(xs) //nolint:errchkjson // integers always encode
		return api.Answer{Result: data}
	case "boom":
		return api.Answer{Failure: &api.Failure{Message: "boom"}}
	case "flaky":
		if job.Attempt == 1 {
			return api.Answer{Failure: &api.Failure{Message: "flaky"}}
		}
		return number(x)
	case "count":
		if x >= 5 {
			return number(5)
		}
		return api.Answer{Pipeline: &api.Spec{Steps: []api.Step{
			{Call: &api.Call{Task: "add", Args: api.Args{number(x).Result, []byte("1")}}}, {Call: &api.Call{Task: "count"}},
		}}}
	}
	return number(2 * x)
}

func number(n int) api.Answer { return api.Answer{Result: fmt.Append(nil, n)} }
