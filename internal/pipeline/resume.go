package pipeline

// Found is what is recorded of a step.
type Found uint8

// What can be recorded.
const (
	// Nothing: the step has not started.
	Nothing Found = iota
	// Alive: it started and has not ended.
	Alive
	// Over: it ended.
	Over
)

// Resume puts chain f back to where its records say it is, after a crash. Find
// says what is recorded of the step at a place and how it ended. With a Child
// that took the chain's place, find answers for the new chain from then on.
//
// Resume ends at a step that is alive, which the caller brings back, or goes on
// as if the last step had ended just now: the effects are then those of that.
func Resume(effects []Effect, f *Frame, in Value, find func(place int) (Found, End)) []Effect {
	pos, out := -1, Outcome{Value: in}
	for {
		place, given := f.Chain.next(pos, out)
		if place == len(f.Chain.Steps) && f.Chain.Finally == nil {
			return enter(effects, f, place, given)
		}
		step := f.Chain.Step(place)
		f.Pos, f.In = place, step.Takes(given.given())
		if place == len(f.Chain.Steps) {
			f.Final, f.In = given, Value{}
		}
		found, end := find(place)
		if found == Nothing {
			return enter(effects, f, place, given)
		}
		f.keep(place, end)
		switch {
		case found == Alive:
			return effects
		case place == len(f.Chain.Steps):
			return leave(effects, f, f.finalOutcome(end.Outcome))
		case end.Child != nil:
			state := f.State
			f.Chain = end.Child
			f.isolate(state)
			pos, out = -1, Outcome{}
			continue
		case step.Kind == TaskStep && step.Task.NoResult && end.Status == Done:
			end.Value = Value{}
		}
		pos, out = place, end.Outcome
	}
}

// Visit is a step that a chain went through.
type Visit struct {
	Place int
	End   End
	In    Value // what the step was given
	// Whole: it is done again from its beginning, not from where it failed.
	Whole bool
}

// Failing gives the steps to do again when chain f, which has ended without
// success, is tried again, in order: the step whose failure was not mended, or that
// was cancelled, and after it the handlers and Finally that ran because of it. What
// find says is as for Resume; f is left in the chain that ended.
func Failing(f *Frame, in Value, find func(place int) (Found, End)) []Visit {
	var visits []Visit
	pos, out := -1, Outcome{Value: in}
	for {
		place, given := f.Chain.next(pos, out)
		if place == len(f.Chain.Steps) {
			return failing(f, visits, find, false)
		}
		f.In = f.Chain.Step(place).Takes(given.given())
		data := f.Data
		found, end := find(place)
		if found != Over {
			return failing(f, visits, find, true) // it was cancelled before it got there
		}
		visit := Visit{Place: place, End: end, In: f.In}
		if end.SetState {
			f.State = end.State
		}
		if end.Child != nil && f.Chain.Step(place).OnError {
			// What the handler returned failed: so what it was to mend is not.
			visit.End.Status, f.Data = Failed, data
			return failing(f, append(visits, visit), find, false)
		}
		if end.Child != nil {
			state := f.State
			f.Chain, visits = end.Child, nil
			f.isolate(state)
			pos, out = -1, Outcome{}
			continue
		}
		visits = append(visits, visit)
		pos, out = place, end.Outcome
	}
}

// failing cuts the visits of a chain down to those to do again. Short: it was cancelled
// after them.
func failing(f *Frame, visits []Visit, find func(place int) (Found, End), short bool) []Visit {
	again := len(visits)
	if again > 0 && visits[again-1].End.Status != Done {
		again--
		for again > 0 && f.Chain.Step(visits[again].Place).OnError {
			again--
		}
	}
	visits = visits[again:]
	for i := range visits {
		// The first is tried again from where it failed; what ran because it failed
		// starts anew.
		visits[i].Whole = i > 0
	}
	if f.Chain.Finally != nil {
		if found, end := find(len(f.Chain.Steps)); found == Over {
			visits = append(visits, Visit{Place: len(f.Chain.Steps), End: end, Whole: short || len(visits) > 0})
		}
	}
	return visits
}

// Leading finds the step of chain f, which has ended, that leads to what is to run
// again, and says what it was given. Leads says of a place whether it does, and
// whether what it leads to is the task there itself and not what that returned. F is
// left in the chain that the step is of. Not ok: something before that was cancelled
// or did not begin.
func Leading(f *Frame, in Value, find func(place int) (Found, End), leads func(place int) (there, itself bool)) (at Visit, ok bool) {
	pos, out := -1, Outcome{Value: in}
	for {
		place, given := f.Chain.next(pos, out)
		if place == len(f.Chain.Steps) && f.Chain.Finally == nil {
			return Visit{}, false
		}
		step := f.Chain.Step(place)
		f.In = step.Takes(given.given())
		if place == len(f.Chain.Steps) {
			f.In = Value{}
		}
		there, itself := leads(place)
		data := f.Data
		found, end := find(place)
		switch {
		case found != Over:
			return Visit{}, false
		case there && itself:
			f.Data = data
			return Visit{Place: place, End: end, In: f.In}, true
		case end.Child != nil:
			state := f.State
			if end.SetState {
				state = end.State
			}
			f.Chain = end.Child
			f.isolate(state)
			pos, out = -1, Outcome{}
			continue
		case there:
			return Visit{Place: place, End: end, In: f.In}, true
		case place == len(f.Chain.Steps):
			return Visit{}, false
		}
		f.keep(place, end)
		if step.Kind == TaskStep && step.Task.NoResult && end.Status == Done {
			end.Value = Value{}
		}
		pos, out = place, end.Outcome
	}
}
