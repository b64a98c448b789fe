package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flow"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/worker"
)

// flows is what the bodies of flows at a peer did.
type flows struct {
	mu    sync.Mutex
	begun int
	saw   []time.Time // what Now gave
	told  int         // that were told to end
}

func (f *flows) counts() (begun, told int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.begun, f.told
}

// flowing knows flows too.
func flowing(task string) *pipeline.Signature {
	if task == "flow" {
		return &pipeline.Signature{Name: task, Flow: true, Params: []string{"object"}, Result: "any", Check: func(int, []byte) error { return nil }}
	}
	return signature(task)
}

// script is what a flow does: it doubles all numbers below N, and adds up the
// results and what else it has called.
type script struct {
	N    int    `json:"n"`
	Long int    `json:"long"` // sums up a list of so many, which it is given
	Sub  string `json:"sub"`  // calls a flow of that queue
	Drop bool   `json:"drop"` // cancels what doubles
}

func (p *peer) flow(ctx context.Context, from worker.Source, job *api.Job) {
	body, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	from.Begin(job, cancel)
	run := flow.New(body, from.(flow.Engine), job, nil)
	sum, err := p.follow(body, run, job)
	interrupted, wrong := run.End()
	if wrong != nil {
		err = wrong
	}
	answer := api.Answer{Result: sum, Interrupted: interrupted}
	if err != nil {
		answer.Failure = &api.Failure{Message: err.Error()}
	}
	p.flows.mu.Lock()
	if body.Err() != nil {
		p.flows.told++
	}
	p.flows.mu.Unlock()
	from.Finish(job, answer)
}

func (p *peer) follow(ctx context.Context, run *flow.Run, job *api.Job) (json.RawMessage, error) {
	var s script
	args := job.Bound
	if job.Input != nil {
		args = api.Args{job.Input}
	}
	if err := json.Unmarshal(args[0], &s); err != nil {
		return nil, err
	}
	keys := flow.NewScope("")
	now, err := run.Now(ctx, keys)
	p.flows.mu.Lock()
	p.flows.begun++
	p.flows.saw = append(p.flows.saw, now)
	p.flows.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var parts []flow.Dep
	call := func(task, arg, options string) *flow.Future {
		step := fmt.Sprintf(`{"runnel":1,"steps":[{"task":%q,"args":[%s],"options":{%s}}]}`, task, arg, options)
		f := run.Submit(ctx, keys, flow.Call{Task: task, Build: func() (*api.Spec, error) { return api.ParseSpec([]byte(step)) }})
		parts = append(parts, flow.Dep{Future: f, Allow: s.Drop})
		return f
	}
	for i := range s.N {
		call("dbl", strconv.Itoa(i), "")
	}
	if s.Drop {
		futures := make([]*flow.Future, len(parts))
		for i := range parts {
			futures[i] = parts[i].Future
		}
		if err := run.Cancel(ctx, futures); err != nil {
			return nil, err
		}
	}
	if s.Sub != "" {
		call("flow", `{"n":3}`, fmt.Sprintf(`"queue":%q`, s.Sub))
	}
	if s.Long > 0 {
		list := call("list", strconv.Itoa(s.Long), "")
		if _, err := list.Wait(ctx); err != nil {
			return nil, err
		}
		long, err := list.Value(ctx)
		if err != nil {
			return nil, err
		}
		parts = parts[:len(parts)-1]
		call("sum", string(long), "")
	}
	return total(ctx, run, keys, parts)
}

// total has the results of calls added up.
func total(ctx context.Context, run *flow.Run, keys *flow.Scope, parts []flow.Dep) (json.RawMessage, error) {
	f := run.Submit(ctx, keys, flow.Call{Task: "sum", Deps: parts, Build: func() (*api.Spec, error) {
		var list []json.RawMessage
		for _, part := range parts {
			v, err := part.Future.Value(ctx)
			if err != nil {
				return nil, err
			}
			if part.Future.ID() == "" {
				return nil, api.Errorf(api.ErrInvalid, part.Future.Key(), "has no task run")
			}
			if part.Future.Ended().State == api.Completed {
				list = append(list, v)
			}
		}
		arg, err := json.Marshal(list)
		return &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "sum", Args: api.Args{arg}}}}}, err
	}})
	end, err := f.Wait(ctx)
	if err == nil && end.State != api.Completed {
		err = api.Errorf(api.ErrInvalid, f.Key(), "is %s: %v", end.State, end.Failure)
	}
	if err != nil {
		return nil, err
	}
	return f.Value(ctx)
}

// Flows of a queue that only another process serves have their bodies there, and
// their calls where those belong, wherever in a run they stand.
func TestFlowsAreLent(t *testing.T) {
	for _, c := range []struct {
		name, steps, want string
		there             int // bodies of flows where gpu is served
	}{
		{"a run", `[{"task":"flow","args":[{"n":10}],"options":{"queue":"gpu"}}]`, "90", 1},
		{"a large result", `[{"task":"flow","args":[{"n":2,"long":20000}],"options":{"queue":"gpu"}}]`, "199990002", 1},
		{"a step", `[{"value":{"n":10}},{"chain":{"steps":[{"task":"flow","options":{"queue":"gpu"}}]}},{"task":"dbl"}]`, "180", 1},
		{
			"children",
			`[{"value":[{"n":1},{"n":2},{"n":3},{"n":4},{"n":5}]},{"each":{"steps":[{"task":"flow","options":{"queue":"gpu"}}]}},{"task":"sum"}]`, "40", 5,
		},
		{"called by a flow", `[{"task":"flow","args":[{"n":3,"sub":"gpu"}]}]`, "12", 1},
		{"called by one that is lent", `[{"task":"flow","args":[{"n":3,"sub":"gpu"}],"options":{"queue":"gpu"}}]`, "12", 2},
		{"calls are cancelled", `[{"task":"flow","args":[{"n":4,"drop":true}],"options":{"queue":"gpu"}}]`, "0", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.Open()
				a := join(t, s, "a", flowing, queues("default"))
				if strings.Contains(c.steps, "drop") {
					a.takes.Store(int64(time.Hour))
				}
				h := a.submit(c.steps)
				<-time.After(time.Second)
				if why, err := a.Engine().Why(t.Context(), h.ID()); err != nil || why.Counts[api.WaitsForQueue] == 0 {
					t.Errorf("while nobody serves the queue: %+v, %v", why, err)
				}
				b := join(t, s, "b", flowing, queues("gpu"))
				out, err := a.Wait(t.Context(), h)
				if err != nil || out.State != api.Completed || string(out.Result) != c.want {
					t.Errorf("%s %s %v %v, want %s", out.State, out.Result, out.Failure, err, c.want)
				}
				if n, _ := b.flows.counts(); n != c.there || b.begun.Load() != 0 {
					t.Errorf("%d flows and %d other bodies ran where the queue is served, want %d and 0", n, b.begun.Load(), c.there)
				}
			})
		})
	}
}

// Whoever goes, in whichever way, a lent flow comes to its end: its body begins
// again where it can, sees what it saw, and finds what it has called.
func TestLentFlowsOutliveProcesses(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(lender, borrower *peer) (gone *peer)
	}{
		{"borrower is closed", func(_, b *peer) *peer { b.stop(); return b }},
		{"borrower stands still", func(_, b *peer) *peer { b.store.freeze(); return b }},
		{"lender is closed", func(a, _ *peer) *peer { a.stop(); return a }},
		{"lender waits no longer", func(a, _ *peer) *peer { a.stopWithin(time.Second); return a }},
		{"lender stands still", func(a, _ *peer) *peer { a.store.freeze(); return a }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.Open()
				a, b := join(t, s, "a", flowing, queues("default")), join(t, s, "b", flowing, queues("gpu"))
				list := []*peer{a, join(t, s, "other a", flowing, queues("default")), b, join(t, s, "other b", flowing, queues("gpu"))}
				<-time.After(3 * time.Second)
				for _, p := range list {
					p.takes.Store(int64(20 * time.Second))
				}
				h := a.submit(`[{"task":"flow","args":[{"n":6}],"options":{"queue":"gpu"}}]`)
				<-time.After(5 * time.Second)
				borrower, other := list[2], list[3]
				if n, _ := other.flows.counts(); n > 0 {
					borrower, other = other, borrower
				}
				gone := c.end(a, borrower)
				<-time.After(5 * time.Second)
				left := list[1]
				left.waits(left.handle(h.ID()), "30")
				if gone.store.gate != nil {
					gone.store.thaw()
				}
				<-time.After(time.Minute)
				saw := slices.Concat(borrower.flows.saw, other.flows.saw)
				if len(saw) != 2 || !saw[0].Equal(saw[1]) {
					t.Errorf("the bodies of the flow saw %v, want the same twice", saw)
				}
				bodies := list[0].begun.Load() + list[1].begun.Load()
				if gone == borrower && bodies != 7 {
					t.Errorf("%d bodies were begun for 7 calls", bodies)
				}
				if n, _ := other.flows.counts(); gone == borrower && n != 1 {
					t.Errorf("%d bodies of the flow ran at the other process, want 1", n)
				}
			})
		})
	}
}

// A lent flow whose run is cancelled is told to end, and so is one that takes too
// long, wherever its body is.
func TestLentFlowsAreToldToEnd(t *testing.T) {
	for _, c := range []struct {
		name, options string
		state         api.State
	}{
		{"cancelled", "", api.Cancelled},
		{"too long", `,"timeout":"10s"`, api.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.Open()
				a, b := join(t, s, "a", flowing, queues("default")), join(t, s, "b", flowing, queues("gpu"))
				a.takes.Store(int64(time.Hour))
				h := a.submit(`[{"task":"flow","args":[{"n":3}],"options":{"queue":"gpu"` + c.options + `}}]`)
				<-time.After(5 * time.Second)
				why, err := b.Engine().Why(t.Context(), h.ID()+"/0")
				if err != nil || why.Kind != api.WaitsForOthers || why.Count != 3 {
					t.Errorf("the flow waits for %+v, %v, want its 3 calls", why, err)
				}
				if c.state == api.Cancelled {
					if err := a.Engine().Cancel(t.Context(), h.ID()); err != nil {
						t.Fatal(err)
					}
				}
				out, err := a.Wait(t.Context(), h)
				if err != nil || out.State != c.state {
					t.Errorf("the run is %s, %v, want %s", out.State, err, c.state)
				}
				<-time.After(time.Second)
				if begun, told := b.flows.counts(); begun != 1 || told != 1 {
					t.Errorf("%d bodies of the flow, %d were told to end, want 1 and 1", begun, told)
				}
			})
		})
	}
}

// Flows take no place: any number are lent to a process that has one free, and it
// has it still.
func TestLentFlowsTakeNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", flowing, queues("default")), join(t, s, "b", flowing, queues("gpu"))
		<-time.After(3 * time.Second)
		a.takes.Store(int64(time.Minute))
		b.takes.Store(int64(time.Minute))
		var list []string
		for range 600 {
			list = append(list, `{"n":1}`)
		}
		h := a.submit(`[{"value":[` + strings.Join(list, ",") + `]},{"each":{"steps":[{"task":"flow","options":{"queue":"gpu"}}]}},{"task":"sum"}]`)
		<-time.After(5 * time.Second)
		gpus := a.submit(`[{"value":[1,2,3,4,5,6,7,8,9]},{"each":{"steps":[{"task":"dbl","options":{"queue":"gpu"}}]}},{"task":"sum"}]`)
		<-time.After(20 * time.Second)
		if n, _ := b.flows.counts(); n != 600 || b.begun.Load() != 4 {
			t.Errorf("%d flows and %d bodies, want 600 and 4", n, b.begun.Load())
		}
		a.takes.Store(0)
		b.takes.Store(0)
		a.waits(gpus, "90")
		a.waits(h, "0")
	})
}

// A flow stays where its run is if it can be there, however much there is to do.
func TestFlowStaysWhereItCanBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", flowing), join(t, s, "b", flowing)
		<-time.After(3 * time.Second)
		a.hold.Store(true)
		bodies := a.submit(`[{"value":[0,1,2,3]},{"each":{"steps":[{"task":"dbl"}]}},{"task":"sum"}]`)
		<-time.After(time.Second)
		h := a.submit(`[{"task":"flow","args":[{"n":1}]}]`)
		more := a.submit(`[{"task":"dbl","args":[4]}]`)
		a.waits(more, "8")
		<-time.After(time.Second)
		if n, _ := b.flows.counts(); n != 0 || b.begun.Load() != 1 {
			t.Errorf("%d flows and %d bodies were lent, want 0 and 1", n, b.begun.Load())
		}
		a.hold.Store(false)
		a.waits(h, "0")
		a.waits(bodies, "12")
	})
}
