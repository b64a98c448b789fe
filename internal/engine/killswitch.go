package engine

import (
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

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
	g.trip = g.frame.Group.Tripped(g.count, g.over, g.failed)
	if g.trip == nil {
		return
	}
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

// tripCell gives the trip as the frame's cell keeps it, nil for none.
func (g *group) tripCell() []byte {
	if g.trip == nil {
		return nil
	}
	data, err := json.Marshal(g.trip)
	if err != nil { // a string and numbers always encode
		panic(err)
	}
	return data
}

// restore takes over what a frame's row says of kill switches.
func (g *group) restore(row *store.FrameRow) error {
	var cell store.FrameCell
	err := cell.Decode(row.Cell)
	if g.since = cell.Opened; g.since == 0 { // a retry of the run opened it again
		g.since = g.run.e.micros()
	}
	if err != nil || !g.frame.Group.HasSwitch() {
		return err
	}
	g.over, g.failed = int(row.Count-row.Pending), int(row.Failed)
	if cell.Trip == nil {
		return nil
	}
	g.trip, g.tripped = new(pipeline.Trip), true
	if err := json.Unmarshal(cell.Trip, g.trip); err != nil {
		return api.Errorf(api.ErrStore, "", "stored kill switch: %w", err)
	}
	return nil
}
