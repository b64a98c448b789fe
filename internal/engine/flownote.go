package engine

import (
	"encoding/json"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// FlowNote keeps what a flow observed, under a key, or gives back what it kept
// there before. Told is called as FlowCall's.
func (e *Engine) FlowNote(job *api.Job, key string, value json.RawMessage, told func(json.RawMessage, error)) error {
	t := job.Key.(*task)
	r := t.run
	r.mu.Lock()
	if err := t.flowing(job); err != nil {
		r.mu.Unlock()
		return err
	}
	kept, ok, err := t.flow.note(key)
	if err == nil && ok {
		delete(t.flow.notes, key)
		r.mu.Unlock()
		told(kept, nil)
		return nil
	}
	defer r.mu.Unlock()
	if err != nil {
		return err
	}
	c := r.newChange()
	id, _, err := t.flow.key(c)
	if err != nil {
		return err
	}
	cell := store.FrameCell{Result: store.Payload{Data: value}, Call: store.Call{Key: key, Round: t.round()}}
	c.Frames = append(c.Frames, store.FrameWrite{FrameRow: store.FrameRow{
		Run: r.id, ID: id, Parent: t.key, Kind: store.NoteFrame, State: store.FrameDone, Cell: cell.Append(nil),
	}})
	c.told = toldBy(func(err error) { told(value, err) })
	e.queue.push(c)
	return nil
}

// FlowKnows gives what a flow observed earlier, nil if it did not.
func (e *Engine) FlowKnows(job *api.Job, key string) json.RawMessage {
	t := job.Key.(*task)
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	if t.flow == nil {
		return nil
	}
	kept, _, err := t.flow.note(key)
	if err != nil {
		return nil // keeping one will meet the error
	}
	return kept
}

// FlowTimer calls fire at the given time; stop keeps it from that.
func (e *Engine) FlowTimer(at time.Time, fire func()) (stop func()) {
	tm := e.timers.after(at, fire)
	return tm.stop
}

// Time gives the engine's time.
func (e *Engine) Time() time.Time { return e.now() }

// closeFlows interrupts the flows in progress, which would wait for calls that
// nobody begins any more.
func (e *Engine) closeFlows() {
	for _, r := range e.liveRuns() {
		r.mu.Lock()
		for t := range r.live.going() {
			if t.flow != nil && t.phase == claimed {
				t.flow.closing = true
				if t.cancel != nil {
					t.cancel(api.ErrClosed)
				}
			}
		}
		r.mu.Unlock()
	}
}

// FlowCancel cancels calls of a flow that are in progress.
func (e *Engine) FlowCancel(job *api.Job, keys []string) error {
	t := job.Key.(*task)
	r := t.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := t.flowing(job); err != nil {
		return err
	}
	for _, key := range keys {
		if cl := t.flow.calls[key]; cl != nil && cl.frame != nil {
			cl.frame.Cancelled = true
		}
	}
	c := r.newChange()
	tell := r.cancelLive(c)
	e.queue.push(c)
	for _, t := range tell {
		t.tell(api.ErrCancelled)
	}
	return nil
}
