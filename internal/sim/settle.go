package sim

import "github.com/runnel-dev/runnel/api"

// settle ends the faults and drives everything to its end. A run that stands
// still though nothing is left to do has lost a wake-up.
func (w *world) settle() {
	w.calm = true
	w.store.next, w.store.tired = none, 0
	w.endSchedules()
	if w.served != nil {
		w.drain()
		w.reasons()
		w.restart() // with all queues
	}
	for round := 0; w.err == nil; round++ {
		if round > 5000 {
			w.broken("the runs do not come to an end")
			return
		}
		w.drain()
		w.reasons()
		if !w.nudge() {
			w.slotsLeft()
			w.globalSlotsLeft()
			w.turnsLeft()
			return
		}
	}
}

// drain does all that can be done.
func (w *world) drain() {
	for range 20_000 {
		if w.err != nil {
			return
		}
		if w.work() {
			w.check()
			continue
		}
		if !w.tick() {
			return
		}
	}
	w.broken("there is always something to do")
}

// nudge looks at what stands still: it resumes what is paused, answers tokens,
// and retries some of what failed. False: all runs have ended.
func (w *world) nudge() bool {
	again := false
	kept := w.runs[:0]
	for _, r := range w.runs {
		if w.see(r); r.stored {
			kept = append(kept, r)
		} else if w.store.fired[retryLater] == 0 {
			w.broken("run %d was never made durable", r.number)
		}
	}
	w.runs = kept
	var still []*simRun
	for _, r := range w.runs {
		switch {
		case r.last.State.Final():
			if w.rng.IntN(3) == 0 && w.retry(r) {
				again = true
			}
		case r.last.State == api.Paused:
			w.control(r, "resume", w.e.Resume, func() { r.paused = false })
			again = true
		case w.answerToken():
			again = true
		default:
			still = append(still, r)
		}
	}
	for _, r := range still {
		if !again { // else it may wait for a task id or a slot that a paused run has
			w.dump(r)
			w.broken("run %d is %s and nothing is left to do: a wake-up is lost", r.number, r.last.State)
		}
	}
	return again
}
