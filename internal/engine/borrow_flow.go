package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/store"
)

// lentFlow is what a borrowed flow waits to hear of. Its job is a
// flow.Engine, whose calls are made by the lender. Guarded by borrowed.mu.
type lentFlow struct {
	notes map[string]json.RawMessage // of earlier bodies; never changed
	last  int64
	asked map[int64]func(*toldFlow)
	told  inOrder
}

// toldOfFlow passes on what the lender of a flow tells.
func (e *Engine) toldOfFlow(q *cluster.Request) {
	told := new(toldFlow)
	if err := q.Decode(told); err != nil {
		e.log.Error("what a borrowed flow waits for can't be read", "error", err)
		return
	}
	b := &e.borrowing
	b.mu.Lock()
	x := b.have[loanKey{q.From, told.Number}]
	b.mu.Unlock()
	if x == nil || x.flow == nil {
		return
	}
	x.mu.Lock()
	hear := x.flow.asked[told.Ask]
	delete(x.flow.asked, told.Ask)
	x.mu.Unlock()
	if hear != nil {
		x.flow.told.do(e.beside, func() { hear(told) })
	}
}

// asks has the lender do something that it will tell of. Nobody hears of it once the
// body was told to end.
func (x *borrowed) asks(in askFlow, hear func(*toldFlow)) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cause != nil {
		return x.cause
	}
	x.flow.last++
	in.Number, in.Ask = x.key.number, x.flow.last
	if err := x.e.peers.node.Tell(x.key.from, jobsFlow, &in); err != nil {
		return err
	}
	x.flow.asked[in.Ask] = hear
	return nil
}

// wrong is why what was asked for did not come about.
func (told *toldFlow) wrong() error {
	if told.Err == nil {
		return nil
	}
	return told.Err
}

// FlowCall has the lender make a call. Its task run is known at its end.
func (x *borrowed) FlowCall(_ *api.Job, call *api.FlowCall, told func(api.FlowEnd)) (string, error) {
	return "", x.asks(askFlow{Call: call}, func(what *toldFlow) {
		end := api.FlowEnd{Err: what.wrong()}
		if in := what.End; in != nil && end.Err == nil {
			end = api.FlowEnd{TaskRun: in.TaskRun, State: in.State, Order: in.Order, Result: in.Result, Failure: in.Failure}
			if in.Blob.ID != 0 {
				end.Load = func(ctx context.Context) (json.RawMessage, error) {
					return x.e.load(ctx, store.Payload{Blob: in.Blob})
				}
			}
		}
		told(end)
	})
}

// FlowWait lists nothing: what the flow will call is known to its body only.
func (x *borrowed) FlowWait(*api.Job, *api.FlowWait) string { return "" }

// FlowCancel has the lender cancel calls.
func (x *borrowed) FlowCancel(_ *api.Job, keys []string) error {
	done := make(chan error, 1)
	if err := x.asks(askFlow{Cancel: keys}, func(what *toldFlow) { done <- what.wrong() }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-x.over:
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.cause
	}
}

// FlowNote has the lender keep what the flow observed.
func (x *borrowed) FlowNote(_ *api.Job, key string, value json.RawMessage, told func(json.RawMessage, error)) error {
	return x.asks(askFlow{Note: &noteFlow{key, value}}, func(what *toldFlow) { told(what.Note, what.wrong()) })
}

// FlowKnows gives what an earlier body of the flow observed.
func (x *borrowed) FlowKnows(_ *api.Job, key string) json.RawMessage { return x.flow.notes[key] }

// FlowTimer is this process's.
func (x *borrowed) FlowTimer(at time.Time, fire func()) (stop func()) { return x.e.FlowTimer(at, fire) }

// Time is this process's.
func (x *borrowed) Time() time.Time { return x.e.Time() }
