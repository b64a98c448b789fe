package sim

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
)

// see reads the run's row and takes note of how it moved.
func (w *world) see(r *simRun) {
	row, err := w.store.Run(w.ctx, r.number)
	if err != nil {
		if r.stored || !errors.Is(err, api.ErrNotFound) {
			w.broken("run %d: %v", r.number, err)
		}
		return
	}
	r.stored = true
	if row.Gen != r.last.Gen {
		if row.Gen != r.last.Gen+1 || r.asked == nil || !r.asked.mayFollow(r.last.State) {
			w.broken("run %d went from generation %d, %s, to %d", r.number, r.last.Gen, r.last.State, row.Gen)
			return
		}
		// Nobody knows what a cancelled run had begun; what begins anew is as the first time.
		r.fuzzy = r.asked.all && w.faults.zero || !r.asked.all && (r.fuzzy || r.cancels)
		r.cancels, r.cancel = false, false
		r.foretell(int(row.Gen))
	} else if r.last.State.Final() && row.State != r.last.State {
		w.broken("run %d was %s and is %s", r.number, r.last.State, row.State)
	}
	if row.State == api.Cancelling || row.State == api.Cancelled {
		r.cancels, r.paused = true, false // a schedule may have done it
	}
	ended := row.State.Final() && !r.last.State.Final()
	r.last = row
	w.findTrips(r)
	if ended {
		w.ended(r)
	}
}

// check holds what anybody can see against the store.
func (w *world) check() {
	w.slotsHold()
	for _, r := range w.runs {
		for range 4 { // a handle that is told and a context that is over: either may be seen
			out, err := r.handle.Wait(w.gone)
			if err == nil {
				w.see(r)
				if !r.stored || out.State != r.last.State && r.last.Gen == 0 {
					w.broken("run %d was told to be %s, but the store says %s", r.number, out.State, r.last.State)
				}
				break
			}
		}
	}
}

// mayBegin holds a body that is about to begin against what is durable and what
// was foretold.
func (w *world) mayBegin(h *held) {
	r := h.run
	w.see(r)
	if !r.stored {
		w.broken("a body of run %d begins before the run is durable", r.number)
		return
	}
	seq, _ := strconv.ParseInt(h.job.ID[strings.LastIndexByte(h.job.ID, '/')+1:], 10, 64)
	key, ok := w.keyOf(r, seq)
	if !ok {
		w.broken("body %s begins before its keys are durable", h.script.Label)
		return
	}
	h.key = key
	defer func() { w.counts["bodies"]++ }()
	w.mayRun(h)
	w.mayBeginUnder(h)
	w.mayServe(h)
	w.mayTake(h)
	w.mayRepeat(h)
	if h.script.Cache != "" {
		w.mayCache(h)
		return
	}
	w.mustHappen(h)
}

// mayRun: nothing of a paused or cancelled run begins.
func (w *world) mayRun(h *held) {
	r := h.run
	state := r.last.State
	switch {
	case r.paused || state == api.Paused:
		w.broken("body %s begins though its run is paused (%s)", h.script.Label, state)
	case state == api.Running && (!r.cancel || h.script.Final), state == api.Cancelling && h.script.Final:
	default:
		w.broken("body %s begins though its run is %s (cancelled: %t)", h.script.Label, state, r.cancel)
	}
	for _, other := range w.jobs {
		// A body that ignores its end is given up after a while.
		given := !w.now.Before(other.begun.Add(grace))
		if h.job.TaskID != "" && other.job.TaskID == h.job.TaskID && !given {
			w.broken("body %s begins beside %s, with the same task id", h.script.Label, other.script.Label)
		}
	}
	if h.job.Generation != int(r.last.Gen) {
		w.broken("body %s begins in generation %d of %d", h.script.Label, h.job.Generation, r.last.Gen)
	}
}

// grace is the engine's default: how long a body may ignore that it is to end.
const grace = 5 * time.Second

// mayRepeat: an attempt is repeated only if a crash came between, and nothing of
// its end was durable.
func (w *world) mayRepeat(h *held) {
	a := attempt{h.run.number, h.key, h.job.Generation, h.job.Attempt}
	if w.begun[a] == w.life {
		w.broken("attempt %d of body %s begins twice without a crash between", a.attempt, h.script.Label)
	}
	if w.begun[a] > 0 {
		w.counts["repeated"]++
	}
	w.begun[a] = w.life
	row, _ := w.row(h.run, h.key)
	switch {
	case row == nil && a.attempt == 1:
	case row == nil:
		w.broken("attempt %d of body %s begins, but no earlier one is durable", a.attempt, h.script.Label)
	case row.State == api.Pending && a.attempt == 1 && int(row.Gen) <= a.gen: // reopened by this retry of the run or one before
	case row.State.Final(), int(row.Gen) != a.gen:
		w.broken("attempt %d gen %d of body %s begins, but its row is %s gen %d", a.attempt, a.gen, h.script.Label, row.State, row.Gen)
	case int(row.Attempt) != a.attempt:
		w.broken("attempt %d of body %s begins, but its row is at %d", a.attempt, h.script.Label, row.Attempt)
	}
}

// mustHappen: a body begins only if it was foretold, with what was foretold,
// once, after all that must be durable before.
func (w *world) mustHappen(h *held) {
	r := h.run
	sig := h.script.signature(inputOf(h.job), canon(h.job.State))
	if was, known := r.sigs[h.key]; known && was != sig && !r.fuzzy && r.last.Gen == 0 {
		w.broken("task run %s was %s and is %s", h.job.ID, was, sig)
	}
	r.sigs[h.key] = sig
	c := r.naive.calls[sig]
	if c == nil {
		if !r.fuzzy && !r.cancels && !r.cancel && (!r.naive.loose || !h.script.Final) {
			w.broken("body %s begins with input %s and state %s, which was not foretold", sig, h.job.Input, h.job.State)
		}
		return
	}
	if r.keys[sig] == nil {
		r.keys[sig] = map[string]int64{}
	}
	id := w.identity(h)
	if was, known := r.keys[sig][id]; known && was != h.key {
		if row, _ := w.row(r, was); row != nil && row.State.Final() {
			w.broken("body %s begins again under another key, though it has ended", sig)
		}
	}
	r.keys[sig][id] = h.key
	if r.fuzzy {
		return // what follows from who failed first can't be foretold
	}
	if len(r.keys[sig]) > c.count {
		w.broken("body %s begins under %d keys, foretold were %d", sig, len(r.keys[sig]), c.count)
	}
	if h.job.Attempt > c.attempts {
		w.broken("attempt %d of body %s begins, foretold were %d", h.job.Attempt, sig, c.attempts)
	}
	if r.cancel || r.cancels || c.count > 1 || r.naive.loose && h.script.Final {
		return
	}
	for _, before := range c.before {
		if b := r.naive.calls[before]; b != nil && b.count == 1 && r.last.Gen == 0 && !w.over(r, before) {
			w.broken("body %s begins before the end of %s is durable", sig, before)
		}
	}
	for _, m := range c.groups {
		w.within(h, sig, m)
	}
}

// identity names a call: by its idempotency key, and for one that a flow makes
// by the flow's attempt too.
func (w *world) identity(h *held) string {
	key := h.job.IdempotencyKey()
	if h.job.Idempotency == "" {
		return key
	}
	return key + w.rounds[h.run.id+key[:strings.LastIndexByte(key, '/')]]
}

// within: no more children of a group are in flight than its limit allows.
func (w *world) within(h *held, sig string, m member) {
	b := h.run.naive.groups[m.group]
	if b.limit == 0 {
		return
	}
	flying := 1
	for child, calls := range b.calls {
		if slices.ContainsFunc(calls, func(s string) bool { return h.run.naive.calls[s].count > 1 }) {
			return // which child is which can't be told
		}
		started := slices.ContainsFunc(calls, func(s string) bool { return w.started(h.run, s) })
		ended := !slices.ContainsFunc(calls, func(s string) bool { return !w.over(h.run, s) })
		if child != m.child && started && !ended {
			flying++
		}
	}
	if flying > b.limit {
		w.broken("body %s begins as one of %d children in flight, %d are allowed", sig, flying, b.limit)
	}
}

// started: a body has begun, here or with a record. One that began in an earlier
// life and left none has gone with it; an engine that does not serve its queue
// passes over it, and the one after that need not begin with it. It does so with
// a flow, too, that left no record, whatever records its calls have left.
func (w *world) started(r *simRun, sig string) bool {
	for _, key := range r.keys[sig] {
		if w.begun[attempt{r.number, key, int(r.last.Gen), 1}] == w.life {
			return true
		}
		if row, _ := w.row(r, key); row != nil && !r.naive.calls[sig].called {
			return true
		}
	}
	return false
}

// over reports whether a call has durably ended, as often as it happens.
func (w *world) over(r *simRun, sig string) bool {
	n := 0
	for _, key := range r.keys[sig] {
		if row, _ := w.row(r, key); row != nil && row.State.Final() && row.Gen == r.last.Gen {
			n++
		}
	}
	return n >= r.naive.calls[sig].count
}

// ended holds the outcome of a run against what was foretold.
func (w *world) ended(r *simRun) {
	out, err := w.e.Result(w.ctx, r.id)
	if err != nil {
		w.broken("result of run %d: %v", r.number, err)
		return
	}
	w.counts[out.State.String()]++
	if r.cancels {
		if out.State != api.Cancelled {
			w.broken("run %d was cancelled and is %s", r.number, out.State)
		}
		w.finallyRan(r)
		return
	}
	if r.fuzzy {
		if out.State == api.Cancelled {
			w.broken("run %d is CANCELLED and nobody cancelled it", r.number)
		}
		return
	}
	w.outcome(r, out)
	for sig, c := range r.naive.calls {
		if !c.maybe && (len(r.keys[sig]) != c.count || !w.over(r, sig)) {
			w.broken("run %d ended, but body %s ran under %d keys, foretold were %d", r.number, sig, len(r.keys[sig]), c.count)
		}
	}
}

func (w *world) outcome(r *simRun, out engine.Outcome) {
	want, got := r.tree.res, result{value: canon(out.Result)}
	state, wantFail, gotFail := api.Completed, "", ""
	if want.fail != nil {
		state, wantFail = api.Failed, want.given()
	}
	if out.Failure != nil {
		gotFail = canon(encode(out.Failure))
	}
	same := gotFail == wantFail
	if want.fail.vague() && out.Failure != nil {
		same = want.fail.matches(out.Failure)
	}
	if out.State != state || got.value != want.value || !same {
		w.broken("run %d is %s %s %s\nforetold was %s %s %s", r.number, out.State, got.value, gotFail, state, want.value, wantFail)
	}
	if s := canon(out.FinalState); s != r.tree.state.data && !r.tree.state.vague {
		w.broken("run %d ends with state %s, foretold was %s", r.number, s, r.tree.state.data)
	}
}

// finallyRan: the outermost finally runs, cancelled or not, unless a limit of 0
// may have ended it.
func (w *world) finallyRan(r *simRun) {
	if w.faults.zero || r.spec.Finally == nil || r.spec.Finally.Call == nil {
		return
	}
	label := scriptOf(r.spec.Finally.Call.Args).Label + "("
	n := 0
	for key, sig := range r.sigs {
		if !strings.HasPrefix(sig, label) {
			continue
		}
		if row, _ := w.row(r, key); row != nil && row.State.Final() {
			n++
		}
	}
	if n != 1 {
		w.broken("run %d was cancelled, and finally ran %d times", r.number, n)
	}
}

// row reads a task row, nil if there is none.
func (w *world) row(r *simRun, key int64) (*store.TaskRow, *store.TaskCell) {
	var found *store.TaskRow
	cell := new(store.TaskCell)
	err := w.store.Tasks(w.ctx, r.number, key, key+1, func(row *store.TaskRow) error {
		found = new(store.TaskRow)
		*found = *row
		return cell.Decode(row.Cell)
	})
	if err != nil {
		w.broken("read task %d: %v", key, err)
	}
	return found, cell
}

// keyOf finds the key of a task run by its number, if it is durable.
func (w *world) keyOf(r *simRun, seq int64) (int64, bool) {
	blocks, err := w.store.Blocks(w.ctx, r.number)
	if err != nil {
		w.broken("blocks: %v", err)
	}
	first := r.last.Base
	for _, b := range blocks {
		if b.Seq <= seq && seq < b.Seq+b.Count {
			return b.First + seq - b.Seq, true
		}
	}
	if len(blocks) > 0 && seq >= blocks[0].Seq {
		return 0, false
	}
	return first + seq, true
}

// dump writes what the store has of a run into the log.
func (w *world) dump(r *simRun) {
	w.did("run %d: %+v", r.number, r.last)
	blocks, _ := w.store.Blocks(w.ctx, r.number) // for people only
	for _, b := range blocks {
		w.did("  keys %d+%d are numbers %d and up, of %d", b.First, b.Count, b.Seq, b.Frame)
	}
	_ = w.store.Frames(w.ctx, r.number, 0, 1<<62, func(f *store.FrameRow) error {
		w.did("  frame %d of %d place %d kind %d state %d base %d count %d pending %d failed %d low %d",
			f.ID, f.Parent, f.Place, f.Kind, f.State, f.Base, f.Count, f.Pending, f.Failed, f.Low)
		return nil
	})
	_ = w.store.Tasks(w.ctx, r.number, 0, 1<<62, func(t *store.TaskRow) error {
		w.did("  task %d of %d place %d %s %s attempt %d gen %d", t.ID, t.Frame, t.Place, r.sigs[t.ID], t.State, t.Attempt, t.Gen)
		return nil
	})
}
