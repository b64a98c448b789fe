package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a stored schedule must work on a machine without zone files

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/schedule"
	"github.com/runnel-dev/runnel/internal/store"
)

// scheduleKind is the kind of the records that hold schedules, by name.
const scheduleKind = "schedule"

// scheduleRecord is a schedule as stored: what it is, and how far it has come.
// Times are microseconds since 1970, 0 for none.
type scheduleRecord struct {
	scheduleDefinition
	Created int64            `json:"created"`
	Updated int64            `json:"updated"`
	Cursor  int64            `json:"cursor"` // all times up to it are dealt with
	Paused  bool             `json:"paused,omitempty"`
	Queued  int64            `json:"queued,omitempty"` // waits for the end of the live run
	Made    int64            `json:"made"`
	Skipped int64            `json:"skipped"`
	Missed  int64            `json:"missed"`
	Last    []scheduleRunRef `json:"last,omitempty"`
	Error   string           `json:"error,omitempty"`
	ErrorAt int64            `json:"error_at,omitempty"`
}

type scheduleDefinition struct {
	Timetable api.Timetable   `json:"timetable"`
	Pipeline  json.RawMessage `json:"pipeline"`
	Tags      []string        `json:"tags,omitempty"`
	Overlap   api.Overlap     `json:"overlap"`
	CatchUp   api.CatchUp     `json:"catch_up"`
	Window    api.Duration    `json:"window"`
}

type scheduleRunRef struct {
	Run string `json:"run"`
	At  int64  `json:"at"`
}

// shownRuns is how many of a schedule's runs it names.
const shownRuns = 14

// storedSchedule is a schedule as read from the store. Whoever changes it has the
// store check that it is still that: so of what several processes, or goroutines,
// make of it at a time one counts, and a run is made for a time once.
type storedSchedule struct {
	name  string
	text  []byte // the record; nil: there is none
	rec   scheduleRecord
	table *schedule.Table // nil: it can't be read here
	spec  *api.Spec
}

// decodeSchedule reads a record. One that makes no sense here stands still.
func (e *Engine) decodeSchedule(name string, text []byte) (*storedSchedule, error) {
	x := &storedSchedule{name: name, text: clone(text)}
	if err := json.Unmarshal(text, &x.rec); err != nil {
		return nil, api.Errorf(api.ErrStore, e.store.Location(), "stored schedule %q: %w", name, err)
	}
	if err := x.read(); err != nil {
		x.rec.Error, x.rec.ErrorAt = err.Error(), e.micros()
	}
	return x, nil
}

// read makes of the record what is needed to go by it.
func (x *storedSchedule) read() error {
	table, err := readTimetable(x.rec.Timetable)
	if err != nil {
		return err
	}
	if x.spec, err = api.ParseSpec(x.rec.Pipeline); err != nil {
		return err
	}
	x.table = table
	return nil
}

func readTimetable(t api.Timetable) (*schedule.Table, error) {
	if t.Zone == "Local" {
		return nil, api.Errorf(api.ErrInvalid, "", `time zone "Local" is another on each machine: want a name such as "Europe/Berlin"`)
	}
	loc, err := time.LoadLocation(t.Zone)
	if err != nil {
		return nil, api.Errorf(api.ErrInvalid, "", `no time zone %q: want a name such as "Europe/Berlin"`, t.Zone)
	}
	return schedule.Parse(t, loc)
}

// readSchedule reads one schedule; one without a text if there is none.
func (e *Engine) readSchedule(ctx context.Context, name string) (*storedSchedule, error) {
	x := &storedSchedule{name: name}
	err := e.store.Records(ctx, scheduleKind, name, func(key string, text []byte) (err error) {
		if key == name {
			x, err = e.decodeSchedule(name, text)
		}
		if err == nil {
			err = errStop
		}
		return err
	})
	return x, ignoreStop(err)
}

// findSchedule reads one schedule, which must exist.
func (e *Engine) findSchedule(ctx context.Context, name string) (*storedSchedule, error) {
	x, err := e.readSchedule(ctx, name)
	if err == nil && x.text == nil {
		err = api.Errorf(api.ErrNotFound, "", "no schedule %q", name)
	}
	return x, err
}

// write makes rec what the schedule is, if it is still what was read; nil deletes it.
func (x *storedSchedule) write(rec *scheduleRecord) (w store.RecordWrite, err error) {
	w = store.RecordWrite{Kind: scheduleKind, Key: x.name, Check: true, Was: x.text}
	if rec == nil {
		return w, nil
	}
	if w.Value, err = json.Marshal(rec); err != nil {
		err = api.Errorf(api.ErrEncoding, "", "schedule %q: %w", x.name, err)
	}
	return w, err
}

// putSchedule writes what a schedule is now, and gives its new text. It fails with
// [store.ErrFenced] if it has become another one.
func (e *Engine) putSchedule(ctx context.Context, x *storedSchedule, rec *scheduleRecord) (text []byte, err error) {
	w, err := x.write(rec)
	if err == nil {
		err = e.store.PutRecords(ctx, w)
	}
	return w.Value, err
}

// ran notes a run that was made.
func (rec *scheduleRecord) ran(id string, at time.Time) {
	rec.Made++
	rec.Last = append([]scheduleRunRef{{id, at.UnixMicro()}}, rec.Last...)
	rec.Last = slices.Clip(rec.Last[:min(len(rec.Last), shownRuns)])
	rec.Error, rec.ErrorAt = "", 0
}

// liveKind is the kind of the records that hold the live runs of schedules which
// must not overlap, by schedule and number: they are written with what makes a run
// live, and deleted with its end, whichever process it has.
const liveKind = "schedule_run"

func liveKey(schedule string, run int64) string { return fmt.Sprintf("%s\x00%016x", schedule, run) }

// liveWrites notes in a transition that the run is live, or is not any more.
func (r *run) liveWrites(live bool) []store.RecordWrite {
	if !r.made.counts() {
		return nil
	}
	w := store.RecordWrite{Kind: liveKind, Key: liveKey(r.made.Name, r.id)}
	if live {
		w.Value = []byte(r.text)
	}
	return []store.RecordWrite{w}
}

// liveOf gives the live runs of a schedule, oldest first; of all schedules for "".
func (e *Engine) liveOf(ctx context.Context, name string, each func(schedule, run string)) error {
	from := ""
	if name != "" {
		from = name + "\x00"
	}
	return ignoreStop(e.store.Records(ctx, liveKind, from, func(key string, id []byte) error {
		of, _, _ := strings.Cut(key, "\x00")
		if name != "" && of != name {
			return errStop
		}
		each(of, string(id))
		return nil
	}))
}
