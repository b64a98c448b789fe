package engine

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Lists go on where they stopped by the number in the id of the last that was
// given: nothing is counted, and what was given before is not read again.

// runsBelow gives the number below which the runs are that come after one.
func runsBelow(before string) (int64, error) {
	if before == "" {
		return math.MaxInt64, nil
	}
	uid, err := uuid.Parse(before)
	if err != nil {
		return 0, api.Errorf(api.ErrInvalid, "Before", "%q is not the id of a run", before)
	}
	return numberOf(uid), nil
}

// start is where a list of task runs begins: with a number of a run, and below
// that run.
type start struct {
	below, run, from int64
}

// seq is the first number of a run's task runs that is listed.
func (s start) seq(run int64) int64 {
	if run == s.run {
		return s.from
	}
	return 0
}

func startOf(f *api.TaskRunFilter) (start, error) {
	if f.After == "" {
		return start{}, nil
	}
	run, seq, err := cutID(f.After)
	uid, wrong := uuid.Parse(run)
	if err != nil || wrong != nil {
		return start{}, api.Errorf(api.ErrInvalid, "After", "%q is not the id of a task run", f.After)
	}
	if f.Run != "" && !strings.EqualFold(f.Run, run) {
		return start{}, api.Errorf(api.ErrInvalid, "After", "%q is not a task run of run %s", f.After, f.Run)
	}
	number := numberOf(uid)
	return start{below: number + 1, run: number, from: seq + 1}, nil
}

// skip drops those before a number.
func (l *liveTasks) skip(seq int64) {
	i, _ := slices.BinarySearchFunc(l.list, seq, func(t api.TaskRun, seq int64) int { return int(min(max(t.Seq-seq, -1), 1)) })
	l.list = l.list[i:]
}

// frames tells which frames of a run are groups: a few one by one, since who
// wants a page of a wide run asks for few, and then all.
type frames struct {
	e     *Engine
	run   int64
	known map[int64]*store.FrameRow // nil for what is no group
	all   bool
}

// askedSingly is how many frames are looked for before all are read.
const askedSingly = 16

// group gives the row of a group, without its cell; nil if the frame is none.
func (g *frames) group(ctx context.Context, frame int64) (*store.FrameRow, error) {
	if row, known := g.known[frame]; known || frame <= 0 || g.all {
		return row, nil
	}
	from, to := frame, frame+1
	switch {
	case g.known == nil:
		g.known = make(map[int64]*store.FrameRow)
	case len(g.known) >= askedSingly:
		from, to, g.all = 0, maxKey, true
	}
	g.known[frame] = nil // unless there is one
	err := g.e.store.Frames(ctx, g.run, from, to, func(row *store.FrameRow) error {
		if row.Kind == store.GroupFrame {
			kept := *row
			kept.Cell = nil
			g.known[row.ID] = &kept
		}
		return nil
	})
	return g.known[frame], err
}
