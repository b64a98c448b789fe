package engine

import (
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// made says which schedule made a run, and for which trace. Nil, which all methods
// take, is none.
type made struct {
	api.ScheduleTime
	text  []byte // its JSON; nil: by no schedule
	trace string // "": for none
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
	return &made{ScheduleTime: t, text: text}, nil
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
	m, err := madeOf(c.Schedule)
	if err == nil && c.Trace != "" {
		m = m.traced(c.Trace)
	}
	return m, err
}

// traced adds the trace.
func (m *made) traced(trace string) *made {
	if m == nil {
		m = new(made)
	}
	m.trace = trace
	return m
}

// traceOf gives the trace, "" for none.
func (m *made) traceOf() string {
	if m == nil {
		return ""
	}
	return m.trace
}

// cell is that of a live run.
func (m *made) cell() []byte {
	if m == nil {
		return nil
	}
	return (&store.RunCell{Schedule: m.text, Trace: m.trace}).Append(nil)
}

func (m *made) data() []byte {
	if m == nil {
		return nil
	}
	return m.text
}

func (m *made) time() *api.ScheduleTime {
	if m == nil || m.text == nil {
		return nil
	}
	return &m.ScheduleTime
}

// counts reports whether the run is one of those that must not overlap: backfilled
// ones stand for times past.
func (m *made) counts() bool { return m.time() != nil && m.By != byBackfill }
