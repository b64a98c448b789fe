package engine

import (
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// made says which schedule made a run. Nil, which all methods take, is none.
type made struct {
	api.ScheduleTime
	text []byte // its JSON
}

// What makes the runs of a schedule.
const (
	byTimetable = "timetable"
	byTrigger   = "trigger"
	byBackfill  = "backfill"
)

func newMade(t api.ScheduleTime) (*made, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, api.Errorf(api.ErrEncoding, "", "schedule %q: %w", t.Name, err)
	}
	return &made{t, text}, nil
}

// madeOf reads the text.
func madeOf(text []byte) (*made, error) {
	if text == nil {
		return nil, nil
	}
	m := &made{text: clone(text)}
	if err := json.Unmarshal(text, &m.ScheduleTime); err != nil {
		return nil, api.Errorf(api.ErrStore, "", "stored time of a schedule: %w", err)
	}
	return m, nil
}

// madeFrom reads it from a run's cell.
func madeFrom(cell []byte) (*made, error) {
	if cell == nil {
		return nil, nil
	}
	var c store.RunCell
	if err := c.Decode(cell); err != nil {
		return nil, err
	}
	return madeOf(c.Schedule)
}

// cell is that of a live run.
func (m *made) cell() []byte {
	if m == nil {
		return nil
	}
	return (&store.RunCell{Schedule: m.text}).Append(nil)
}

func (m *made) data() []byte {
	if m == nil {
		return nil
	}
	return m.text
}

func (m *made) time() *api.ScheduleTime {
	if m == nil {
		return nil
	}
	return &m.ScheduleTime
}

// counts reports whether the run is one of those that must not overlap: backfilled
// ones stand for times past.
func (m *made) counts() bool { return m != nil && m.By != byBackfill }
