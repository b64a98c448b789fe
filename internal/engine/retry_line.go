package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// line is what leads from the outermost chain of a run down to one of its task runs:
// the task runs that returned a pipeline which it is part of, and the groups that it
// is in. A call of a flow ends it: the flow is what has to run again, and makes the
// call anew.
type line struct {
	id     string
	seq    int64
	key    int64           // of the task run
	leaf   int64           // the last of tasks: key, or the flow's that called it
	call   int64           // of that flow: key of the record of the call; 0: no flow called it
	tasks  map[int64]bool  // by key
	groups map[int64]int64 // a key of the child that it is in, by the group's frame
	found  bool            // the run as it is now leads there
}

// lineTo climbs from a task run to the outermost chain.
func (e *Engine) lineTo(ctx context.Context, row *store.RunRow, id string, seq int64) (*line, error) {
	blocks, err := e.blocksOf(ctx, row)
	if err != nil {
		return nil, err
	}
	p := e.placesOf(ctx, row, blocks)
	l := &line{id: id, seq: seq}
	i := p.blockOf(seq)
	if i < 0 {
		return nil, l.unknown()
	}
	l.key = blocks[i].First + seq - blocks[i].Seq
	switch task, _, err := e.taskRow(ctx, row.ID, l.key); {
	case err != nil:
		return nil, err
	case task == nil:
		return nil, l.unknown()
	case !task.State.Final():
		return nil, api.Errorf(errTaskNotEnded, "", "task run %s did not end: it is %s; retry what its run did not complete, or all of it", id, task.State)
	}
	l.to(l.key, 0)
	return l, l.climb(p, row)
}

// to begins the line anew, at a task run.
func (l *line) to(key, call int64) {
	l.leaf, l.call = key, call
	l.tasks, l.groups = map[int64]bool{key: true}, make(map[int64]int64)
}

func (l *line) climb(p *places, row *store.RunRow) error {
	for key := l.key; ; {
		b := p.around(key)
		if b == nil {
			return l.replaced()
		}
		if b.Frame < 0 {
			l.to(-b.Frame, key)
			key = l.leaf
			continue
		}
		if b.Frame == 0 || b.Frame == row.Base {
			return nil
		}
		over, call, err := l.over(p, row, b.Frame, key)
		switch {
		case err != nil || over == 0:
			return err
		case call != 0:
			l.to(over, call)
		default:
			l.tasks[over] = true
		}
		key = over
	}
}

// over climbs through groups from the chain or group with a base, of which key is one,
// to the task run that returned what they stand in, or to the flow that called it; 0
// for the outermost chain.
func (l *line) over(p *places, row *store.RunRow, base, key int64) (over, call int64, err error) {
	for base != row.Base {
		b := p.around(base)
		if b == nil {
			return 0, 0, l.replaced()
		}
		if b.Frame == b.First {
			group, err := p.frames.group(p.ctx, b.First)
			if err != nil {
				return 0, 0, err
			}
			if group != nil {
				if b != p.around(key) {
					key = base
				}
				l.groups[group.ID] = key
				base, key = group.Source, group.Source
				continue
			}
		}
		over, call, err := p.whoseIs(b, nil)
		switch {
		case err != nil:
			return 0, 0, err
		case over == 0 && call == 0:
			return 0, 0, l.replaced()
		case call == 0:
			return over, 0, nil
		}
		flow := p.around(call)
		if flow == nil || flow.Frame >= 0 {
			return 0, 0, l.replaced()
		}
		return -flow.Frame, call, nil
	}
	return 0, 0, nil
}

func (l *line) unknown() error {
	return api.Errorf(api.ErrNotFound, "", "no task run %s: what has not begun has none", l.id)
}

// replaced refuses a task run that the run does not rest on any more.
func (l *line) replaced() error {
	return api.Errorf(errTaskReplaced, "", "task run %s is of an earlier attempt or generation, and others have run in its place: retry from one of those", l.id)
}
