package engine

import (
	"encoding/json"
	"fmt"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// trip is why a kill switch has stopped a group, as its frame keeps it.
type trip struct {
	Switch string `json:"switch"`
	Failed int    `json:"failed"`
	Ended  int    `json:"ended"`
}

// consult counts a child of g that has ended, and asks the group's kill switches.
// What trips is written with the end that tripped it. Called with run.mu.
func (g *group) consult(c *change, status pipeline.Status) {
	g.over++
	if status == pipeline.Failed {
		g.failed++
	}
	if g.trip != nil || g.frame.Cancelled {
		return
	}
	name := g.frame.Group.Tripped(api.BatchCounts{Total: g.count, Ended: g.over, Failed: g.failed})
	if name == "" {
		return
	}
	g.trip = &trip{Switch: name, Failed: g.failed, Ended: g.over}
	row := g.frameRow(g.frame.Parent)
	row.State = store.FrameOpen
	c.Frames = append(c.Frames, store.FrameWrite{FrameRow: row, Op: store.UpdateFrame})
	g.stop(c)
}

// stop cancels what is in flight of g, and starts nothing more of it.
func (g *group) stop(c *change) {
	r := g.run
	g.tripped = true
	g.frame.Cancelled = true
	tell := r.cancelLive(c)
	c.then(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, t := range tell {
			t.tell(api.ErrCancelled)
		}
	})
}

// encode gives the trip as the frame's cell keeps it, nil for none.
func (t *trip) encode() []byte {
	if t == nil {
		return nil
	}
	data, err := json.Marshal(t)
	if err != nil { // a string and numbers always encode
		panic(err)
	}
	return data
}

// restore takes over what a frame's row says of kill switches.
func (g *group) restore(row *store.FrameRow) error {
	if !g.frame.Group.HasSwitch() {
		return nil
	}
	g.over, g.failed = int(row.Count-row.Pending), int(row.Failed)
	var cell store.FrameCell
	if err := cell.Decode(row.Cell); err != nil || cell.Trip == nil {
		return err
	}
	g.trip, g.tripped = new(trip), true
	if err := json.Unmarshal(cell.Trip, g.trip); err != nil {
		return api.Errorf(api.ErrStore, "", "stored kill switch: %w", err)
	}
	return nil
}

// killed is the outcome of a group that a kill switch stopped, given that which
// its children have: their failures are its causes.
func (g *group) killed(out pipeline.Outcome) pipeline.Outcome {
	f := &api.Failure{
		Type: "*api.Error", Code: api.ErrKillSwitch.Code,
		Message: fmt.Sprintf("kill switch %s tripped: %d of %d children had failed, %d had ended, the others were cancelled or never began",
			g.trip.Switch, g.trip.Failed, g.count, g.trip.Ended),
		Count: g.trip.Failed,
	}
	if out.Failure != nil {
		f.Causes, f.Count = out.Failure.Causes, out.Failure.Count
	}
	return failed(f)
}
