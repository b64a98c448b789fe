package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// RetryFrom starts a new generation of a run that has ended, in which one task run of
// it runs again, whatever became of it, and all that comes after it. How the others
// ended stays, failures too; what was cancelled or never ran runs.
//
// A group ends again, so what follows it is after it; its other children stay. If it
// is one that failures stop, by FailFast or a kill switch, those that failed run
// again.
//
// Of a task run that a flow called, what comes after it is the calls that the flow
// made once it had ended; the flow's body runs again and is given the others' results.
// A call is made again whole: of a pipeline or a flow that was called, only what it
// began with can be retried.
func (e *Engine) RetryFrom(ctx context.Context, id string) error {
	of, seq, err := cutID(id)
	if err != nil {
		return err
	}
	return e.startAgain(ctx, of, lifecycle.Rerun, func(again *reopening) {
		again.line, again.err = e.lineTo(ctx, again.run, id, seq)
		if again.err != nil {
			return
		}
		again.along(again.r.root, pipeline.Value{})
		if again.err == nil && !again.line.found {
			again.err = again.line.replaced()
		}
	})
}

// along reopens chain f from the step on that leads to the line's end.
func (a *reopening) along(f *pipeline.Frame, in pipeline.Value) {
	at, ok := pipeline.Leading(f, in, a.finds(f), func(at int) (there, itself bool) {
		return a.leads(f, at)
	})
	if a.err != nil {
		return
	}
	if !ok { // it is a Finally, and what comes before it was cancelled
		a.chain(f, in)
		return
	}
	f.In = at.In
	a.enter(f, at.Place)
	a.onward(f, at.Place+1)
}

// leads reports whether the line goes through the step at a place of chain f, and
// whether it ends there.
func (a *reopening) leads(f *pipeline.Frame, at int) (there, itself bool) {
	switch step := f.Chain.Step(at); step.Kind {
	case pipeline.TaskStep:
		key, _, ok := spaceOf(f).at(step.Slot)
		return ok && a.line.tasks[key], ok && a.line.leaf == key
	case pipeline.ChainStep:
		id, _, ok := spaceOf(f).at(step.Slot)
		if !ok {
			return false, false
		}
		below := pipeline.Nested(f, at)
		below.ID, below.Data = id, spaceOf(f)
		for i := range len(below.Chain.Steps) + 1 {
			if below.Chain.Step(i) == nil {
				continue
			}
			if there, _ := a.leads(below, i); there {
				return true, false
			}
		}
		return false, false
	case pipeline.GroupStep, pipeline.EachStep:
		row := a.groupAt(f, at)
		if row == nil {
			return false, false
		}
		_, there := a.line.groups[row.ID]
		return there, false
	}
	return false, false
}

// enter reopens the step at a place of chain f that the line goes through.
func (a *reopening) enter(f *pipeline.Frame, at int) {
	step := f.Chain.Step(at)
	switch step.Kind {
	case pipeline.TaskStep:
		key, _, _ := spaceOf(f).at(step.Slot)
		row, cell, err := a.row(key)
		switch {
		case err != nil:
			a.err = err
		case key != a.line.leaf:
			a.returned(f, at, cell, cell.Next, true)
		case a.line.call != 0:
			a.leafFlow(row, cell)
		default:
			a.task(f, at, key, false)
		}
	case pipeline.ChainStep:
		if below := a.nested(f, at); below != nil {
			a.along(below, f.In)
		}
	default:
		a.group(f, at, a.groupAt(f, at))
	}
}

// leafChild reopens child i of group g, a task, at which the line ends.
func (a *reopening) leafChild(g *group, i int, row *store.TaskRow, cell *store.TaskCell) {
	if a.line.call != 0 {
		a.leafFlow(row, cell)
		return
	}
	if cell.Child != nil && row.State == api.Completed { // the chain that it returns next takes the same frame
		a.reopenFrame(row.ID, g.frame.ID, i)
	}
	a.reopenTask(row, a.anew(cell))
}

// on reports whether the line goes through child i of group g.
func (a *reopening) on(g *group, i int) bool {
	if a.line == nil {
		return false
	}
	key, there := a.line.groups[g.frame.ID]
	return there && g.frame.Group.ChildAt(key-g.base) == i
}

// stays reports whether how a child of a group ended stays.
func (a *reopening) stays(g *group, end *pipeline.End) bool {
	switch end.Status {
	case pipeline.Done:
		return true
	case pipeline.Failed:
		of := g.frame.Group
		return (a.line != nil || of.Settle) && !of.FailFast && !of.HasSwitch()
	default:
		return false
	}
}
