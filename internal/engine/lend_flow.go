package engine

import (
	"encoding/json"
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/store"
)

// A flow of a queue that nobody serves here is lent as any job is. Its body runs at
// the borrower; what it calls is called here, where its run is, so a flow's calls
// have one engine that decides. What the body asks for is done in the order in
// which it asks, and told when it has come about:
//
//	lender                                    borrower
//	  ◄────────── jobs.flow (call, note, …) ──  the body goes on
//	  the call is made
//	  ── jobs.flow.end ─────────────────────►   and hears of its end
//
// When the borrower goes, or gives the flow back, its calls go on; the next body of
// the same attempt comes to them as one does after a crash.

// askFlow is what the body of a lent flow asks for: one of the three.
type askFlow struct {
	Number int64         `json:"n"`
	Ask    int64         `json:"ask"` // the borrower's number of it
	Call   *api.FlowCall `json:"call,omitempty"`
	Note   *noteFlow     `json:"note,omitempty"`
	Cancel []string      `json:"cancel,omitempty"`
}

type noteFlow struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// toldFlow is what came of it.
type toldFlow struct {
	Number int64           `json:"n"`
	Ask    int64           `json:"ask"`
	End    *endFlow        `json:"end,omitempty"`
	Note   json.RawMessage `json:"note,omitempty"`
	Err    *api.Error      `json:"error,omitempty"`
}

// endFlow is the end of a call on its way to the borrower, which reads a large
// result itself.
type endFlow struct {
	TaskRun string          `json:"task_run,omitempty"`
	State   api.State       `json:"state"`
	Order   int64           `json:"order"`
	Result  json.RawMessage `json:"result,omitempty"`
	Failure *api.Failure    `json:"failure,omitempty"`
	Blob    store.Blob      `json:"blob,omitzero"`
}

// inOrder does things beside, one after the other.
type inOrder struct {
	mu   sync.Mutex
	todo []func()
	busy bool
}

func (q *inOrder) do(beside func(func()), f func()) {
	q.mu.Lock()
	q.todo = append(q.todo, f)
	begin := !q.busy
	q.busy = true
	q.mu.Unlock()
	if begin {
		beside(q.drain)
	}
}

func (q *inOrder) drain() {
	for {
		q.mu.Lock()
		if len(q.todo) == 0 {
			q.busy = false
			q.mu.Unlock()
			return
		}
		f := q.todo[0]
		q.todo[0], q.todo = nil, q.todo[1:]
		q.mu.Unlock()
		f()
	}
}

// askedByFlow does what the body of a lent flow asks for.
func (e *Engine) askedByFlow(q *cluster.Request) {
	var in askFlow
	if err := q.Decode(&in); err != nil {
		e.log.Error("what a lent flow asks for can't be read", "error", err)
		return
	}
	tell := func(out toldFlow, err error) {
		out.Number, out.Ask = in.Number, in.Ask
		if err != nil {
			out.Err = asError(err)
		}
		if err := e.peers.node.Tell(q.From, jobsFlowEnd, &out); err != nil {
			e.log.Error("a lent flow does not hear of its call", "error", err)
		}
	}
	x := e.lending.loan(q.From, in.Number)
	if x == nil {
		tell(toldFlow{}, errNotLent)
		return
	}
	x.asks.do(e.beside, func() { e.doForFlow(x.job, &in, tell) })
}

func (e *Engine) doForFlow(job *api.Job, in *askFlow, tell func(toldFlow, error)) {
	var err error
	switch {
	case in.Call != nil:
		_, err = e.flowCall(job, in.Call, func(end flowEnd) {
			tell(toldFlow{End: &endFlow{
				TaskRun: end.TaskRun, State: end.State, Order: end.Order, Result: end.Result, Failure: end.Failure, Blob: end.blob,
			}}, end.Err)
		})
	case in.Note != nil:
		err = e.FlowNote(job, in.Note.Key, in.Note.Value, func(kept json.RawMessage, err error) {
			tell(toldFlow{Note: kept}, err)
		})
	default:
		tell(toldFlow{}, e.FlowCancel(job, in.Cancel))
	}
	if err != nil {
		tell(toldFlow{}, err)
	}
}
