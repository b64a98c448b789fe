package sim

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// claim gives a job to a worker, which runs its body at once and holds back the
// answer.
func (w *world) claim() bool {
	waiting := w.priorities()
	job, err := w.e.TryClaim(w.ctx)
	if err != nil {
		w.broken("claim: %v", err)
	}
	if job == nil {
		return false
	}
	i := slices.IndexFunc(w.runs, func(r *simRun) bool { return r.id == job.Run })
	if i < 0 {
		w.broken("claimed a job of a run that is not known: %s", job.ID)
		return false
	}
	w.inOrder(job, waiting)
	h := &held{run: w.runs[i], job: job, script: scriptOf(job.Bound), begun: w.now}
	w.did("claim run %d %s %s attempt %d gen %d input %.60s state %s", h.run.number, h.script.Label, job.ID[36:], job.Attempt, job.Generation, job.Input, job.State)
	if h.script.Cache == "" || job.Looked {
		w.mayBegin(h)
	}
	if job.Task == "flow" {
		w.counts["flows"]++
		w.startFlow(h)
		return true
	}
	if len(h.script.Slots) > 0 {
		w.startFlow(h)
		return true
	}
	w.bodies.Execute(source{w, h, w.e}, job)
	if h.ran { // else it took its result from the cache, or waits for it
		w.returned(h)
	}
	return true
}

// returned takes note of a body that has returned, whose answer is held back.
func (w *world) returned(h *held) {
	w.jobs = append(w.jobs, h)
	if h.script.Pend {
		w.pending = append(w.pending, h)
	}
}

// hangs reports whether the attempt is to time out.
func (h *held) hangs() bool {
	return h.script.Hang && h.script.fails(inputOf(h.job), h.job.Attempt, h.job.Generation)
}

// deliver gives an answer to the engine, once or twice.
func (w *world) deliver() bool {
	var can []int
	for i, h := range w.jobs {
		if !h.hangs() || !w.now.Before(h.begun.Add(hangs)) {
			can = append(can, i)
		}
	}
	if len(can) == 0 {
		return false
	}
	i := can[w.rng.IntN(len(can))]
	h := w.jobs[i]
	w.jobs = slices.Delete(w.jobs, i, i+1)
	w.did("answer run %d %s attempt %d", h.run.number, h.script.Label, h.job.Attempt)
	w.slots.ended(h)
	w.e.Finish(h.job, h.answer)
	if !w.calm && w.rng.IntN(8) == 0 {
		w.did("answer again")
		w.e.Finish(h.job, h.answer)
	}
	return true
}

// tick moves time to the next timer.
func (w *world) tick() bool {
	at, ok := w.e.NextTimer()
	if !ok {
		return false
	}
	w.quick()
	if at.After(w.now) {
		w.now = at
	}
	if !w.calm && w.rng.IntN(4) == 0 {
		w.now = w.now.Add(time.Duration(w.rng.IntN(1000)) * time.Millisecond)
	}
	w.did("tick to %s", w.now.Format("15:04:05.000"))
	w.e.Tick()
	return true
}

// quick answers for the bodies that don't hang, before time passes.
func (w *world) quick() {
	for i := 0; i < len(w.jobs); i++ {
		if h := w.jobs[i]; h.job.Timeout > 0 && !h.hangs() {
			w.jobs = slices.Delete(w.jobs, i, i+1)
			i--
			w.did("answer run %d %s", h.run.number, h.script.Label)
			w.slots.ended(h)
			w.e.Finish(h.job, h.answer)
		}
	}
}

// act pauses, resumes, cancels or retries a run.
func (w *world) act() {
	if len(w.runs) == 0 {
		return
	}
	r := w.runs[w.rng.IntN(len(w.runs))]
	if !r.stored {
		return
	}
	switch w.rng.IntN(7) {
	case 0, 1:
		w.control(r, "pause", w.e.Pause, func() { r.paused = true })
	case 2, 3, 4:
		w.control(r, "resume", w.e.Resume, func() { r.paused = false })
	case 5:
		if w.rng.IntN(4) == 0 {
			w.control(r, "cancel", w.e.Cancel, func() { r.cancel, r.paused = true, false })
		}
	case 6:
		w.retry(r)
	}
}

func (w *world) control(r *simRun, what string, do func(context.Context, string) error, done func()) {
	err := do(w.ctx, r.id)
	w.did("%s run %d: %v", what, r.number, err)
	switch {
	case err == nil:
		done()
	case errors.Is(err, api.ErrUnknownTask) && r.last.Gen > 0:
		// Between the commit of a retry and what follows it.
	case !errors.Is(err, api.ErrConflict): // it may have ended, which is to be told yet
		w.broken("%s run %d: %v", what, r.number, err)
	}
}

// answerToken answers a token that is open, as its script wants.
func (w *world) answerToken() bool {
	w.findTokens()
	for _, text := range slices.Sorted(maps.Keys(w.tokens)) {
		t := w.tokens[text]
		if t.accepted == w.life || !w.open4(t) {
			continue
		}
		h := t.job
		m := h.script.act(inputOf(h.job), canon(h.job.State), h.job.Attempt, h.job.Generation)
		if h.hangs() {
			continue
		}
		var err error
		if m.fail != "" {
			err = w.e.Fail(w.gone, text, &api.Failure{Message: m.fail})
		} else {
			value := m.value
			if suffix(h.job.Task) != "" {
				value = nil
			}
			err = w.e.Complete(w.gone, text, value)
		}
		w.did("answer token of run %d %s attempt %d: %v", t.run.number, h.script.Label, h.job.Attempt, err)
		switch {
		case errors.Is(err, context.Canceled) && !errors.Is(err, api.ErrConflict):
			t.accepted = w.life
			return true
		case t.run.cancel || t.run.cancels || t.run.fuzzy || t.run.naive.loose || w.mayReplace(t.run):
		default:
			w.broken("an open token is refused: %v", err)
		}
	}
	return false
}

// open4 reports whether a token's attempt waits for an answer.
func (w *world) open4(t *token) bool {
	row, cell := w.row(t.job.run, t.job.key)
	return row != nil && !row.State.Final() && int(row.Attempt) == t.job.job.Attempt && int(row.Gen) == t.job.job.Generation &&
		row.State == api.Running && cell.Seldom().Token != nil && cell.Seldom().Answer == nil && tokenText(t.run, row, cell) == t.text && !t.run.last.State.Final()
}

// answerAgain answers tokens that were answered, or whose attempt is over: that
// must change nothing.
func (w *world) answerAgain() {
	w.findTokens()
	for _, text := range slices.Sorted(maps.Keys(w.tokens)) {
		t := w.tokens[text]
		if t.accepted != w.life && w.open4(t) || w.rng.IntN(2) == 0 {
			continue
		}
		if t.accepted == 0 && w.life == t.run.life && t.run.last.State == 0 {
			continue
		}
		err := w.e.Complete(w.gone, text, quote("too late"))
		w.did("answer token of run %d %s attempt %d again: %v", t.run.number, t.job.script.Label, t.job.job.Attempt, err)
		if !errors.Is(err, api.ErrConflict) && !errors.Is(err, api.ErrNotFound) {
			w.broken("a second or late answer to a token of %s is accepted: %v", t.job.script.Label, err)
		}
	}
}

// findTokens reads from the store the tokens that are durable: of bodies that
// ran in this life or in one before.
func (w *world) findTokens() {
	for _, h := range w.pending {
		w.findToken(h)
	}
}

func (w *world) findToken(h *held) {
	row, cell := w.row(h.run, h.key)
	if row == nil || cell.Seldom().Token == nil || row.State.Final() {
		return
	}
	text := tokenText(h.run, row, cell)
	if w.tokens[text] == nil && int(row.Attempt) == h.job.Attempt && int(row.Gen) == h.job.Generation {
		w.tokens[text] = &token{text: text, run: h.run, job: h}
	}
}

func tokenText(r *simRun, row *store.TaskRow, cell *store.TaskCell) string {
	gen := ""
	if row.Gen > 0 {
		gen = strconv.FormatInt(int64(row.Gen), 16)
	}
	return fmt.Sprintf("%s.%s.%s.%s.%s", r.id, strconv.FormatInt(row.ID, 16), gen, strconv.FormatInt(int64(row.Attempt), 16), hex.EncodeToString(cell.Seldom().Token))
}

// numberOf reads a run's number out of its id, as docs say it is built.
func numberOf(id string) (int64, error) {
	u, err := uuid.Parse(id)
	return int64(u[6]&0x0f)<<46 | int64(u[7])<<38 | int64(u[8]&0x3f)<<32 | int64(u[9])<<24 | int64(u[10])<<16 | int64(u[11])<<8 | int64(u[12]), err
}
