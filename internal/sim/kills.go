package sim

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// trip is one of a kill switch, as a group's frame has it.
type trip struct {
	Switch string `json:"switch"`
	Failed int64  `json:"failed"`
	Ended  int64  `json:"ended"`
	gen    int32
	over   bool // the group is, and was looked at
}

// findTrips looks at the groups of a run that kill switches may stop, whatever
// else can be foretold of it.
func (w *world) findTrips(r *simRun) {
	if !r.kills || !r.stored {
		return
	}
	err := w.store.Frames(w.ctx, r.number, 0, math.MaxInt64, func(f *store.FrameRow) error {
		if f.Kind != store.GroupFrame || f.State == store.FrameVoid {
			return nil
		}
		var cell store.FrameCell
		if err := cell.Decode(f.Cell); err != nil {
			return err
		}
		t := r.trips[f.ID]
		if t != nil && t.gen != r.last.Gen && f.State != store.FrameDone {
			delete(r.trips, f.ID) // the run was tried again, and the group with it
			t = nil
		}
		switch {
		case f.State == store.FrameDone && (t == nil || !t.over):
			w.stoppedGroup(r, f, &cell, t)
		case f.State == store.FrameDone:
		case t != nil && cell.Trip == nil:
			w.broken("a kill switch stopped group %d of run %d, and now it did not", f.ID, r.number)
		case t == nil && cell.Trip != nil:
			w.mayTrip(r, f, cell.Trip)
		}
		return nil
	})
	if err != nil {
		w.broken("frames of run %d: %v", r.number, err)
	}
}

// mayTrip: a switch trips at the first end at which its counts say so, and these
// are the group's.
func (w *world) mayTrip(r *simRun, f *store.FrameRow, data []byte) {
	t := &trip{gen: r.last.Gen}
	if err := json.Unmarshal(data, t); err != nil {
		w.broken("trip of group %d: %v", f.ID, err)
		return
	}
	r.trips[f.ID] = t
	w.counts["kill switches"]++
	var count, sample int64
	var rate float64
	ok := false
	if _, err := fmt.Sscanf(t.Switch, "FailedCount(%d)", &count); err == nil {
		ok = t.Failed == count
	} else if _, err := fmt.Sscanf(t.Switch, "FailureRate(%d, %g)", &sample, &rate); err == nil {
		ok = t.Ended >= sample && float64(t.Failed) >= rate*float64(t.Ended)
	}
	if !ok || t.Failed != f.Failed || t.Ended > f.Count {
		w.broken("kill switch %s stopped group %d of run %d at %d failed of %d ended; the group has %d of %d", t.Switch, f.ID, r.number, t.Failed, t.Ended, f.Failed, f.Count)
	}
}

// stoppedGroup: a group fails by the switch that tripped, with the numbers that
// it had then, and by none if none did.
func (w *world) stoppedGroup(r *simRun, f *store.FrameRow, cell *store.FrameCell, t *trip) {
	var failure api.Failure
	if cell.Failure != nil {
		if err := json.Unmarshal(cell.Failure, &failure); err != nil {
			w.broken("failure of group %d: %v", f.ID, err)
		}
	}
	switch {
	case t == nil && failure.Killed != nil:
		w.broken("group %d of run %d failed by a kill switch, and none had tripped: %s", f.ID, r.number, failure.Message)
		return
	case t == nil:
		return
	}
	t.over = true
	if cell.Cancelled {
		return // from above
	}
	k := failure.Killed
	if k == nil || failure.Code != api.ErrKillSwitch.Code {
		w.broken("kill switch %s stopped group %d of run %d, but the group ended with %s %s", t.Switch, f.ID, r.number, cell.Failure, cell.Result.Data)
		return
	}
	want := api.BatchCounts{
		Total: int(f.Count), Ended: int(t.Ended) + k.Cancelled, Completed: int(t.Ended - t.Failed), Failed: int(t.Failed), Cancelled: k.Cancelled,
	}
	if k.Switch != t.Switch || k.BatchCounts != want || k.Ended > k.Total || len(failure.Causes) != k.Failed || failure.Count != k.Failed {
		w.broken("group %d of run %d says %+v with %d causes, and was stopped by %+v", f.ID, r.number, *k, len(failure.Causes), *t)
	}
	w.counts["groups that kill switches stopped"]++
}

// mayBeginUnder: once a kill switch has durably stopped a group, nothing of it
// begins but what stands under a finally.
func (w *world) mayBeginUnder(h *held) {
	r := h.run
	if len(r.trips) == 0 || h.script.Final {
		return
	}
	blocks, err := w.store.Blocks(w.ctx, r.number)
	if err != nil {
		w.broken("blocks: %v", err)
	}
	groups, made := map[int64]int64{}, map[int64]int64{} // by their first key: what stands above
	_ = w.store.Frames(w.ctx, r.number, 0, math.MaxInt64, func(f *store.FrameRow) error {
		if f.Kind == store.GroupFrame {
			groups[f.ID] = f.Parent
		}
		return nil
	})
	_ = w.store.Tasks(w.ctx, r.number, 0, math.MaxInt64, func(row *store.TaskRow) error {
		var cell store.TaskCell
		if err := cell.Decode(row.Cell); err == nil && cell.Child != nil {
			made[cell.Next] = row.ID
		}
		return nil
	})
	for key, up := h.key, int64(-1); key != 0 && key != up; {
		up = key
		for _, b := range blocks {
			if key < b.First || key >= b.First+b.Count {
				continue
			}
			above, group := groups[b.First]
			if t := r.trips[b.First]; group && t != nil && t.gen == r.last.Gen {
				w.broken("body %s of run %d begins though kill switch %s has stopped group %d", h.script.Label, r.number, t.Switch, b.First)
				return
			}
			switch {
			case group:
				key = above
			case b.Frame < 0: // calls of a flow
				key = -b.Frame
			case b.Frame != b.First:
				key = b.Frame
			default:
				key = made[b.First]
			}
			break
		}
	}
}
