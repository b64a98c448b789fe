package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

const notReady = lifecycle.NotReady

// inputsKept is how long a description of a call may be before a hash stands
// for it.
const inputsKept = 200

// describe says what a call is, so that another one under its key is noticed.
func describe(fc *api.FlowCall) (string, error) {
	text, err := fc.Spec.AppendJSON(nil)
	if err != nil {
		return "", err
	}
	if len(text) > inputsKept {
		sum := sha256.Sum256(text)
		return nameOf(fc.Spec) + " sha256:" + hex.EncodeToString(sum[:16]), nil
	}
	s := strings.TrimPrefix(string(text), `{"runnel":1,"steps":[`)
	return strings.TrimSuffix(s, "]}"), nil
}

func changed(cl *call, now string) error {
	return api.Errorf(api.ErrChanged, cl.key, "the flow called %s before and calls %s now; retry the run with the code that it began with, or start anew",
		cl.inputs, now)
}

// load prepares to read what is recorded of the flow, by an earlier engine, in an
// earlier generation of the run, or in an earlier attempt. Called with r.mu.
//
// A first attempt that goes on after a crash comes to its calls in the order in
// which their rows are, more or less. So these are read a block at a time, as it
// comes to them, and a flow of many calls is never in memory whole. After other
// attempts a later row may be of the same call, so all of them are read.
func (fl *flow) load(again bool) error {
	r := fl.t.run
	switch {
	case again:
		fl.unread = nil
		all, err := r.e.store.Blocks((&change{}).ctx(), r.id)
		if err != nil {
			return err
		}
		for _, b := range all {
			if b.Frame == -fl.t.key {
				fl.unread = append(fl.unread, b)
			}
		}
	case r.rec != nil:
		fl.unread = r.rec.blocks[-fl.t.key]
	}
	if fl.t.round() == 1 {
		return nil
	}
	return fl.loadRest()
}

// find gives the call that is recorded under a key, nil for none. One in progress
// may end as soon as it is brought back, after all others: then these are read.
func (fl *flow) find(key string) (*call, error) {
	err := fl.loadUntil(func() bool { return fl.calls[key] != nil })
	cl := fl.calls[key]
	if err == nil && cl != nil && cl.stale {
		err = fl.loadRest()
	}
	return cl, err
}

// note gives what is recorded under a key.
func (fl *flow) note(key string) (kept json.RawMessage, ok bool, err error) {
	err = fl.loadUntil(func() bool { return fl.notes[key] != nil })
	kept, ok = fl.notes[key]
	return kept, ok, err
}

// allNotes gives them for whoever is lent the flow. What can't be read now he
// learns when he asks to keep something.
func (fl *flow) allNotes() map[string]json.RawMessage {
	_ = fl.loadRest()
	return maps.Clone(fl.notes)
}

func (fl *flow) loadRest() error { return fl.loadUntil(func() bool { return false }) }

func (fl *flow) loadUntil(found func() bool) error {
	for len(fl.unread) > 0 && !found() {
		err := fl.t.run.e.patiently(func() error { return fl.loadBlock((&change{}).ctx(), fl.unread[0]) })
		if err != nil {
			return err
		}
		fl.unread = fl.unread[1:]
	}
	return nil
}

func (fl *flow) loadBlock(ctx context.Context, b store.Block) error {
	r := fl.t.run
	err := r.e.store.Tasks(ctx, r.id, b.First, b.First+b.Count, func(row *store.TaskRow) error {
		var cell store.TaskCell
		if err := cell.Decode(row.Cell); err != nil || cell.Call == nil || fl.before(cell.Call) {
			return err
		}
		cl := fl.loaded(cell.Call, row.ID, b)
		cl.single, cl.one, cl.state = true, true, row.State
		if row.State == api.Cancelled && cell.Seldom().Failure != nil {
			cl.state = api.Failed // by a limit of 0; that is a failure to whoever called
		}
		if cl.order == 0 { // it is in progress, or its pipeline is
			cl.state, cl.stale = 0, true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.e.store.Frames(ctx, r.id, b.First, b.First+b.Count, func(row *store.FrameRow) error {
		var cell store.FrameCell
		if err := cell.Decode(row.Cell); err != nil || fl.before(&cell.Call) {
			return err
		}
		if row.Kind == store.NoteFrame {
			fl.notes[cell.Call.Key] = clone(cell.Result.Data)
			return nil
		}
		before := fl.calls[cell.Call.Key]
		cl := fl.loaded(&cell.Call, row.ID, b)
		cl.single = before != nil && before.id == row.ID
		cl.one = cl.single || cell.Call.One
		if cell.Call.One {
			cl.seq = cell.Call.Seq
		}
		cl.stale = row.State == store.FrameOpen
		switch {
		case cl.stale:
			cl.plan = clone(cell.Plan)
		case cell.Cancelled:
			cl.state = api.Cancelled
		case cell.Failure != nil:
			cl.state = api.Failed
		default:
			cl.state = api.Completed
		}
		return nil
	})
}

// before reports whether a record is from before the flow was to start anew, or is of
// a call that a retry has it forget.
func (fl *flow) before(kept *store.Call) bool {
	if kept.Round == forgotten && kept.Order > 0 {
		if fl.firsts == nil {
			fl.firsts = make(map[string]int64)
		}
		fl.firsts[kept.Key] = earlier(fl.firsts[kept.Key], kept.Order)
	}
	return kept.Round>>32 < fl.t.cell.Seldom().Anew
}

// loaded makes the call of a row. Of several under a key, by attempts of the
// flow, the last one counts.
func (fl *flow) loaded(kept *store.Call, id int64, b store.Block) *call {
	cl := &call{
		fl: fl, key: kept.Key, inputs: string(kept.Inputs), id: id, seq: b.Seq + id - b.First,
		round: kept.Round, order: kept.Order, after: kept.After,
	}
	old := fl.calls[cl.key]
	if old != nil && old.frame == nil {
		cl.first, old.first = earlier(old.first, old.order), earlier(old.first, cl.order)
	}
	if old == nil || old.id <= id && old.frame == nil {
		fl.calls[cl.key] = cl
	}
	fl.order = max(fl.order, cl.order)
	return cl
}

// revive goes on with a call that was in progress when an engine ended. Called
// with r.mu.
func (fl *flow) revive(cl *call, chain *pipeline.Chain) error {
	r, rec := fl.t.run, fl.t.run.rec
	fl.places++
	f := pipeline.CallFrame(fl.frame, int(fl.places), chain)
	f.ID, f.Origin, cl.frame, cl.stale = cl.id, cl, f, false
	f.Data = newSpace(cl.id, cl.seq)
	if !cl.single {
		base, err := rec.frameBase(cl.id)
		if err != nil {
			return err
		}
		f.Data = rec.spaceAt(base)
	}
	c := r.newChange()
	rec.todo, rec.ready, rec.found, rec.ending = nil, nil, nil, nil
	rec.resume(c, f, pipeline.Value{})
	if err := rec.below(c); err != nil {
		return err
	}
	rec.push(c)
	rec.stopAgain()
	rec.start()
	return nil
}

// frameBase reads the first key of a chain.
func (rec *recovery) frameBase(id int64) (base int64, err error) {
	err = rec.e.store.Frames(rec.ctx, rec.r.id, id, id+1, func(row *store.FrameRow) error {
		base = row.Base
		return nil
	})
	return base, err
}

// recorded reads how a call ended.
func (e *Engine) recorded(cl *call) flowEnd {
	r := cl.fl.t.run
	ctx := (&change{}).ctx()
	end := cl.end()
	found := false
	failure := func(data []byte) error {
		if data == nil {
			return nil
		}
		f, err := decodeFailure(data)
		end.Failure = f
		return err
	}
	err := e.store.Frames(ctx, r.id, cl.id, cl.id+1, func(row *store.FrameRow) error {
		var cell store.FrameCell
		if err := cell.Decode(clone(row.Cell)); err != nil {
			return err
		}
		found = true
		e.result(&end, cell.Result)
		return failure(cell.Failure)
	})
	if err == nil && !found {
		err = e.store.Tasks(ctx, r.id, cl.id, cl.id+1, func(row *store.TaskRow) error {
			var cell store.TaskCell
			if err := cell.Decode(clone(row.Cell)); err != nil {
				return err
			}
			e.result(&end, cell.Result)
			return failure(cell.Seldom().Failure)
		})
	}
	if err != nil {
		end.Err = err
	}
	return end
}
