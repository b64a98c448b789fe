package engine_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// serving drives an engine that serves the given queues; nil: all.
func serving(t *testing.T, s *refusing, queues []string) *byHand {
	t.Helper()
	e, err := engine.New(t.Context(), engine.Config{
		Store: s, Registry: signature, Manual: true, Queues: queues, Now: func() time.Time { return time.Unix(1e9, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return &byHand{Engine: e, t: t, store: s}
}

// begin submits steps as JSON and gives the run's id.
func (h *byHand) begin(steps string) string {
	h.t.Helper()
	spec, err := api.ParseSpec([]byte(`{"runnel":1,"steps":[` + steps + `]}`))
	if err != nil {
		h.t.Fatal(err)
	}
	id, err := h.Enqueue(h.t.Context(), spec, "")
	if err != nil {
		h.t.Fatal(err)
	}
	h.steps()
	return id
}

// work claims and answers until there is nothing to claim, and gives the bound
// arguments of the bodies in the order of their claims.
func (h *byHand) work(answers int) (args []string) {
	h.t.Helper()
	for {
		job, id := h.next()
		if id == "" {
			return args
		}
		arg := string(job.Input)
		if len(job.Bound) > 0 {
			arg = string(job.Bound[0])
		}
		args = append(args, arg)
		h.Finish(job, number(answers))
		h.steps()
	}
}

func (h *byHand) state(id string) api.State {
	h.t.Helper()
	run, err := h.Status(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return run.State
}

// dbl is a call of dbl as JSON.
func dbl(arg int, options string) string {
	return fmt.Sprintf(`{"task":"dbl","args":[%d],"options":{%s}}`, arg, options)
}

// all is a group of steps.
func all(options string, steps ...string) string {
	return `{"children":[{"steps":[` + strings.Join(steps, `]},{"steps":[`) + `]}]` + options + `}`
}

// many is a step n times.
func many(n int, step string) []string { return slices.Repeat([]string{step}, n) }

func TestOrderOfClaims(t *testing.T) {
	low, high, gpu, one := `"priority":-5`, `"priority":5`, `"queue":"gpu"`, `,"max_parallelism":1`
	for _, c := range []struct {
		name   string
		queues []string
		runs   []string
		want   string
	}{
		{"the highest first", nil, []string{dbl(1, low), dbl(2, ""), dbl(3, high)}, "3 2 1"},
		{"in a group", nil, []string{all("", dbl(1, low), dbl(2, ""), dbl(3, high), dbl(4, ""))}, "3 2 4 1"},
		{"runs take turns", nil, []string{all("", dbl(1, high), dbl(2, high), dbl(3, high)), dbl(4, high), dbl(5, "")}, "1 4 2 3 5"},
		{"queues take turns", nil, []string{all("", dbl(1, ""), dbl(2, "")), dbl(3, gpu), dbl(4, "")}, "1 3 4 2"},
		{"0 is said", nil, []string{dbl(1, `"priority":0,"queue":"default"`), dbl(2, "")}, "1 2"},
		{"default only", []string{"default"}, []string{dbl(1, gpu), dbl(2, ""), all("", dbl(3, gpu), dbl(4, ""))}, "2 4"},
		{"gpu only", []string{"gpu"}, []string{dbl(1, gpu), dbl(2, ""), all("", dbl(3, ""), dbl(4, gpu))}, "1 4"},
		{"none", []string{}, []string{dbl(1, gpu), dbl(2, ""), all("", dbl(3, gpu), dbl(4, ""))}, ""},
		{"values go first", []string{"gpu"}, []string{all("", `{"value":1},`+`{"task":"dbl","options":{"queue":"gpu"}}`)}, "1"},
		{"an empty list goes first", []string{"gpu"}, []string{
			all("", `{"value":[]},{"each":{"steps":[{"task":"dbl"}]}},{"task":"sum","options":{"queue":"gpu"}}`),
		}, "[]"},
		{"nested", []string{"gpu"}, []string{
			all("", all("", dbl(1, gpu)), `{"chain":{"steps":[`+dbl(2, gpu)+`]}}`, all("", dbl(3, ""), dbl(4, gpu))),
		}, "2 1 4"},
		{"past those that can't begin", []string{"default"}, []string{all("", append(many(1100, dbl(1, gpu)), dbl(2, ""))...)}, "2"},
		{"a parallel of one, past those", []string{"default"}, []string{all(one, dbl(1, gpu), dbl(2, ""), dbl(3, gpu), dbl(4, ""))}, "2 4"},
		{"past a group of those", []string{"default"}, []string{all(one, all("", dbl(1, gpu), dbl(2, gpu)), dbl(3, ""))}, "3"},
		{"past a group of two such queues", []string{"default"}, []string{all(one, all("", dbl(1, gpu), dbl(2, `"queue":"tpu"`)), dbl(3, ""))}, "3"},
		{"a parallel of one", []string{"gpu"}, []string{all(`,"max_parallelism":1`, dbl(1, gpu), dbl(2, gpu), dbl(3, ""))}, "1 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := serving(t, &refusing{Store: memory.Open()}, c.queues)
			for _, steps := range c.runs {
				h.begin(steps)
			}
			got := h.work(1)
			if strings.Join(got, " ") != c.want {
				t.Errorf("claimed %v, want %s", got, c.want)
			}
		})
	}
}

func TestTaskOfAnUnservedQueueAfterAReopening(t *testing.T) {
	for _, c := range []struct{ name, steps, before, after string }{
		{"task", dbl(1, `"queue":"gpu"`), "", "1"},
		{"step", dbl(1, "") + `,{"task":"dbl","options":{"queue":"gpu"}}`, "1", "7"},
		{"group", all("", dbl(1, ""), dbl(2, `"queue":"gpu"`), dbl(3, "")), "1 3", "2"},
		{"each", `{"value":[1,2]},{"each":{"steps":[{"task":"dbl"},{"task":"dbl","options":{"queue":"gpu"}}]}}`, "1 2", "7 7"},
		{"a parallel of one", all(`,"max_parallelism":1`, dbl(1, `"queue":"gpu"`), dbl(2, ""), dbl(3, `"queue":"gpu"`)), "2", "1 3"},
		{"task id", dbl(1, `"queue":"gpu","task_id":"a"`), "", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &refusing{Store: memory.Open()}
			h := serving(t, s, []string{"default"})
			id := h.begin(c.steps)
			if got := strings.Join(h.work(7), " "); got != c.before {
				t.Errorf("without gpu claimed %q, want %q", got, c.before)
			}
			h = serving(t, s, []string{"gpu", "default"})
			h.steps()
			if got := strings.Join(h.work(7), " "); got != c.after {
				t.Errorf("with gpu claimed %q, want %q", got, c.after)
			}
			if state := h.state(id); state != api.Completed {
				t.Errorf("the run is %s", state)
			}
		})
	}
}

// A wide group whose children get stuck has few of them in memory.
func TestWideGroupOfAnUnservedQueue(t *testing.T) {
	const wide, gpu = 5000, `"queue":"gpu"`
	const open = `{"task":"dbl","options":{"queue":"gpu"}}`
	list := `{"value":[` + strings.TrimSuffix(strings.Repeat("1,", wide), ",") + `]},`
	mixed := make([]string, wide)
	for i := range mixed {
		mixed[i] = dbl(1, gpu)
	}
	mixed[0] = dbl(2, "")
	for _, c := range []struct {
		name, steps string
		claims      int
		queue, room int
	}{
		{"at once", list + `{"each":{"steps":[{"task":"dbl","options":{"queue":"gpu"}}]}}`, 0, wide, 0},
		{"at the second step", list + `{"each":{"steps":[{"task":"dbl"},{"task":"dbl","options":{"queue":"gpu"}}]}}`, 1024, 1024, wide - 1024},
		{"but for one", all("", mixed...), 1, wide - 1, 0},
		{
			"groups at the second step", list + `{"each":{"steps":[{"task":"dbl"},` + all("", open, open) + `]}}`,
			1024, 2 * 1024, wide - 1024,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := serving(t, &refusing{Store: memory.Open()}, []string{"default"})
			id := h.begin(c.steps)
			if got := h.work(1); len(got) != c.claims {
				t.Errorf("claimed %d, want %d", len(got), c.claims)
			}
			why, err := h.Why(t.Context(), id)
			if err != nil || why.Counts[api.WaitsForQueue] != c.queue || why.Counts[api.WaitsForRoom] != c.room {
				t.Errorf("the run %s (%v), want %d for the queue and %d for room", why, err, c.queue, c.room)
			}
			if err := h.Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			h.steps()
			if state := h.state(id); state != api.Cancelled {
				t.Errorf("the run is %s", state)
			}
		})
	}
}

// What stands aside for nothing is forgotten, and makes room for others.
func TestStrandedTasksThatEndMakeRoom(t *testing.T) {
	stuck := make([]string, 1100)
	for i := range stuck {
		stuck[i] = dbl(1, "") + "," + `{"task":"dbl","options":{"queue":"gpu"}}`
	}
	stuck[0] = `{"task":"boom","args":[1]}`
	h := serving(t, &refusing{Store: memory.Open()}, []string{"default"})
	later := all("", `{"task":"dbl"}`, `{"task":"dbl"}`)
	h.begin(all("", all(`,"fail_fast":true`, stuck...), `{"task":"add","args":[1,2]},`+later))
	jobs := map[string]*api.Job{}
	for job, id := h.next(); id != ""; job, id = h.next() {
		if jobs[job.Task] = job; job.Task == "dbl" {
			h.Finish(job, number(1))
		}
		h.steps()
	}
	h.Finish(jobs["add"], number(3))
	h.steps()
	if got := h.work(1); len(got) > 0 {
		t.Errorf("claimed %v while a thousand tasks are stuck", got)
	}
	h.Finish(jobs["boom"], api.Answer{Failure: &api.Failure{Message: "boom"}})
	h.steps()
	if got := h.work(1); !slices.Equal(got, []string{"3", "3"}) {
		t.Errorf("claimed %v once nothing is stuck, want 3 twice", got)
	}
}

// One that is stuck does not keep others with its task id waiting.
func TestUnservedQueueAndTaskID(t *testing.T) {
	h := serving(t, &refusing{Store: memory.Open()}, []string{"default"})
	h.begin(dbl(1, `"queue":"gpu","task_id":"a"`))
	h.begin(dbl(2, `"task_id":"a"`))
	if got := h.work(1); len(got) != 1 || got[0] != "2" {
		t.Errorf("claimed %v, want 2", got)
	}
}

// A task that nobody can run asks for no slot.
func TestUnservedQueueAndSlots(t *testing.T) {
	h := serving(t, &refusing{Store: memory.Open()}, []string{"default"})
	h.limit(1)
	h.begin(dbl(1, `"queue":"gpu","tags":["a"]`))
	h.slots(nil)
	h.begin(dbl(2, `"tags":["a"]`))
	if _, id := h.next(); id == "" {
		t.Error("one of a served queue does not begin")
	}
}

// Children that were held back when their run was retried say so, as all others,
// and how many are in progress.
func TestRetriedChildrenWaitForParallelism(t *testing.T) {
	for _, c := range []struct{ name, child string }{
		{"tasks", `{"task":"boom"}`},
		{"chains", `{"task":"dbl"},{"task":"boom"}`},
	} {
		for _, reopened := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reopened %t", c.name, reopened), func(t *testing.T) {
				s := &refusing{Store: memory.Open()}
				h := serving(t, s, nil)
				id := h.begin(`{"value":[1,2,3,4,5]},{"each":{"steps":[` + c.child + `]},"max_parallelism":2}`)
				for job, next := h.next(); next != ""; job, next = h.next() {
					answer := number(1)
					if job.Task == "boom" {
						answer = api.Answer{Failure: &api.Failure{Message: "boom"}}
					}
					h.Finish(job, answer)
					h.steps()
				}
				if err := h.Retry(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				h.steps()
				if reopened {
					h = serving(t, s, nil)
					h.steps()
				}
				for range 2 {
					if _, next := h.next(); next == "" {
						t.Fatal("nothing to claim after the retry")
					}
				}
				want := api.Waiting{Kind: api.WaitsForParallelism, Limit: 2, Taken: 2}
				held := 0
				for task, err := range h.TaskRuns(t.Context(), api.TaskRunFilter{Run: id}) {
					if err != nil {
						t.Fatal(err)
					}
					if task.State.Final() || task.Waiting == nil {
						continue
					}
					held++
					why, err := h.Why(t.Context(), task.ID)
					if err != nil || !reflect.DeepEqual(why, want) || !reflect.DeepEqual(*task.Waiting, want) {
						t.Errorf("%s says that it %s, and then that it %s (%v)", task.ID, task.Waiting, why, err)
					}
				}
				why, err := h.Why(t.Context(), id)
				if held != 3 || err != nil || why.Counts[api.WaitsForParallelism] != 3 || why.Limit != 2 || why.Taken != 2 {
					t.Errorf("%d are held back, and the run %s (%v); want 3", held, why, err)
				}
				if err := h.Pause(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				if why, err = h.Why(t.Context(), id); err != nil || why.Counts[api.WaitsForResume] != 3 || why.Limit != 0 {
					t.Errorf("the paused run %s (%v)", why, err)
				}
			})
		}
	}
}

// The children that have not begun are counted as they begin, not when somebody
// asks: those that need no task, that nobody serves, that have records.
func TestWhatHasNotBegunIsCounted(t *testing.T) {
	value, gpu := `{"value":1}`, dbl(1, `"queue":"gpu"`)
	s := &refusing{Store: memory.Open()}
	h := serving(t, s, []string{"default"})
	id := h.begin(all("", value, gpu, dbl(2, ""), dbl(3, ""), value, gpu, dbl(4, ""), value))
	counts := func(when string, running, queue, worker int) {
		t.Helper()
		want := map[api.WaitingKind]int{api.WaitsForQueue: queue, api.WaitsForWorker: worker}
		maps.DeleteFunc(want, func(_ api.WaitingKind, n int) bool { return n == 0 })
		if why, err := h.Why(t.Context(), id); err != nil || why.Running != running || !maps.Equal(why.Counts, want) {
			t.Errorf("%s %d run and the others wait for %v (%v), want %d and %v", when, why.Running, why.Counts, err, running, want)
		}
	}
	counts("at first", 0, 2, 3)
	job, _ := h.next()
	counts("with one begun", 1, 2, 2)
	h.Finish(job, number(1))
	h.steps()
	counts("with one ended", 0, 2, 2)
	h = serving(t, s, []string{"default"})
	h.steps()
	counts("after a crash", 0, 2, 2)
	h = serving(t, s, []string{"gpu"})
	h.steps()
	counts("where the others are served", 0, 2, 2)
	if job, _ = h.next(); string(job.Bound[0]) != "1" {
		t.Errorf("claimed %s, want 1", job.Bound[0])
	}
	counts("with another one begun", 1, 2, 1)
	h.Finish(job, number(1))
	h = serving(t, s, nil)
	h.steps()
	counts("after another crash", 0, 0, 4)
	if got := h.work(1); len(got) != 4 || h.state(id) != api.Completed {
		t.Errorf("claimed %v, and the run is %s", got, h.state(id))
	}
}
