package engine

import (
	"context"
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// callEnd is the end of a call, to be told once it is durable.
type callEnd struct {
	call  *call
	state api.State
}

// answer records how a chain ended that a flow called. Called with r.mu.
func (r *run) answer(c *change, eff *pipeline.Effect) {
	cl := eff.Frame.Origin.(*call)
	state := api.Completed
	switch eff.Outcome.Status {
	case pipeline.Failed:
		state = api.Failed
	case pipeline.Cancelled:
		state = api.Cancelled
	case pipeline.Done:
	}
	cl.out = eff.Outcome
	if !cl.stored {
		cl.fl.order++
		cl.order = cl.fl.order
		cell := store.FrameCell{Result: payload(eff.Outcome.Value), Cancelled: state == api.Cancelled}
		if state == api.Failed {
			cell.Failure = encodeFailure(eff.Outcome.Failure)
		}
		w := store.FrameWrite{FrameRow: cl.row(store.FrameDone, cell)}
		if !cl.single {
			w.Op = store.UpdateFrame
		}
		c.Frames = append(c.Frames, w)
	}
	c.callOver(callEnd{cl, state})
}

// ended tells who waits for a call that its end is durable.
func (e *Engine) ended(end callEnd) {
	cl := end.call
	r := cl.fl.t.run
	r.mu.Lock()
	told, out := cl.told, cl.out
	cl.told, cl.out, cl.frame, cl.state = nil, pipeline.Outcome{}, nil, end.state
	fl := cl.fl
	fl.sees(cl)
	if fl.calls[cl.key] == cl && len(told) > 0 { // else the body has yet to ask for it again
		delete(fl.calls, cl.key)
	}
	fl.open--
	if h := fl.held; h != nil && fl.open == 0 {
		fl.held = nil
		fl.t.ended(h.answer, h.result)
	}
	r.mu.Unlock()
	if len(told) == 0 {
		return
	}
	flowEnd := cl.end()
	flowEnd.Failure = out.Failure
	e.result(&flowEnd, payload(out.Value))
	for _, tell := range told {
		tell(flowEnd)
	}
}

// flowEnd is how a call ended, and where its result is if it is large.
type flowEnd struct {
	api.FlowEnd

	blob store.Blob
}

func (cl *call) end() flowEnd {
	return flowEnd{FlowEnd: api.FlowEnd{TaskRun: cl.taskRun(), State: cl.state, Order: cl.order}}
}

// result puts a call's result into its end.
func (e *Engine) result(end *flowEnd, p store.Payload) {
	if end.blob = p.Blob; p.Blob.ID == 0 {
		end.Result = p.Data
		return
	}
	end.Load = func(ctx context.Context) (json.RawMessage, error) { return e.load(ctx, p) }
}

// holds keeps the answer of a flow's body back while calls of it are in progress,
// and cancels these. Called with r.mu.
func (t *task) holds(a api.Answer, result pipeline.Value) bool {
	fl := t.flow
	if fl == nil || fl.open == 0 {
		return false
	}
	if fl.held != nil {
		return true
	}
	fl.held = &heldAnswer{a, result}
	fl.frame.Cancelled = true
	r := t.run
	c := r.newChange()
	tell := r.cancelLive(c)
	r.e.queue.push(c)
	for _, t := range tell {
		t.tell(api.ErrCancelled)
	}
	return true
}
