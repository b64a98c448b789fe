package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
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
const shownRuns = 10

// schedules holds the schedules. Who changes one has its turn, see hold, until
// that is durable: so a time is dealt with once, and in order.
type schedules struct {
	e       *Engine
	writing sync.Mutex // makes and deletes one at a time

	mu    sync.Mutex
	free  *sync.Cond // some turn has ended
	known map[string]*sched
	live  map[string]map[int64]string // runs that count for overlaps, by schedule and number
	todo  []*sched
	wake  chan struct{}
}

// sched is one schedule. Guarded by schedules.mu, but name.
type sched struct {
	name  string
	rec   scheduleRecord
	table *schedule.Table // nil: it can't be read here
	spec  *api.Spec
	timer *timer
	busy  bool // somebody has the turn
	gone  bool
	asked bool // it is in todo
	told  bool // the live runs were cancelled for the time that waits
	delay time.Duration
}

func (s *schedules) init(e *Engine) {
	s.e, s.free = e, sync.NewCond(&s.mu)
	s.known, s.live = make(map[string]*sched), make(map[string]map[int64]string)
	s.wake = make(chan struct{}, 1)
}

// loadSchedules reads the schedules. One that can't be read stands still.
func (e *Engine) loadSchedules(ctx context.Context) error {
	return e.store.Records(ctx, scheduleKind, "", func(name string, value []byte) error {
		x := &sched{name: name}
		if err := json.Unmarshal(value, &x.rec); err != nil {
			return api.Errorf(api.ErrStore, e.store.Location(), "stored schedule %q: %w", name, err)
		}
		if err := x.read(); err != nil {
			e.log.Error("schedule stands still", "schedule", name, "error", err)
			x.rec.Error, x.rec.ErrorAt = err.Error(), e.micros()
		}
		e.schedules.known[name] = x
		e.schedules.ask(x)
		return nil
	})
}

// read makes of the record what is needed to go by it.
func (x *sched) read() error {
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

// ask has a schedule looked at. Called with mu.
func (s *schedules) ask(x *sched) {
	if !x.asked {
		x.asked = true
		s.todo = append(s.todo, x)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// begun notes that a run is live. Called without mu.
func (s *schedules) begun(r *run) {
	if !r.made.counts() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[r.made.Name] == nil {
		s.live[r.made.Name] = make(map[int64]string)
	}
	s.live[r.made.Name][r.id] = r.text
}

// ended notes that a run is not live any more, durably. Called without mu.
func (s *schedules) ended(r *run) {
	if !r.made.counts() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live[r.made.Name], r.id)
	if len(s.live[r.made.Name]) > 0 {
		return
	}
	delete(s.live, r.made.Name)
	if x := s.known[r.made.Name]; x != nil && !x.busy { // who has the turn, as of a run that is refused, ends it
		s.ask(x)
	}
}

// hold takes the turn of a schedule, and waits for it.
func (s *schedules) hold(ctx context.Context, name string) (*sched, error) {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		s.free.Broadcast()
		s.mu.Unlock()
	})
	defer stop()
	if s.e.isClosed() {
		return nil, api.ErrClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		x := s.known[name]
		switch {
		case x == nil:
			return nil, noSchedule(name)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !x.busy:
			x.busy = true
			return x, nil
		case s.e.manual:
			return nil, api.Errorf(api.ErrConflict, "", "schedule %q makes a run at the moment", name)
		}
		s.free.Wait()
	}
}

func noSchedule(name string) error {
	return api.Errorf(api.ErrNotFound, "", "no schedule %q", name)
}

// settle ends a turn: with the record as it is in the store now, or with why the
// store has not taken it. What was not done is tried again later.
func (s *schedules) settle(x *sched, rec *scheduleRecord, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.free.Broadcast()
	x.busy = false
	if err == nil {
		x.rec, x.delay = *rec, 0
		s.ask(x)
		return
	}
	if errors.Is(err, api.ErrClosed) || x.gone {
		return
	}
	x.delay = min(max(2*x.delay, time.Second), time.Minute)
	s.e.log.Warn("schedule has to wait for the store", "schedule", x.name, "error", err, "delay", x.delay)
	s.at(x, s.e.now().Add(x.delay))
}

// release ends a turn in which nothing was changed.
func (s *schedules) release(x *sched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.busy = false
	s.ask(x)
	s.free.Broadcast()
}

// at has a schedule looked at later. Called with mu.
func (s *schedules) at(x *sched, when time.Time) {
	x.timer.stop()
	x.timer = s.e.timers.after(when, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ask(x)
	})
}

// put writes a record.
func (e *Engine) putSchedule(ctx context.Context, name string, rec *scheduleRecord) error {
	w, err := rec.write(name)
	if err == nil {
		err = e.store.PutRecords(ctx, w)
	}
	return err
}

func (rec *scheduleRecord) write(name string) (store.RecordWrite, error) {
	value, err := json.Marshal(rec)
	if err != nil {
		return store.RecordWrite{}, api.Errorf(api.ErrEncoding, "", "schedule %q: %w", name, err)
	}
	return store.RecordWrite{Kind: scheduleKind, Key: name, Value: value}, nil
}

// ran notes a run that was made.
func (rec *scheduleRecord) ran(id string, at time.Time) {
	rec.Made++
	rec.Last = append([]scheduleRunRef{{id, at.UnixMicro()}}, rec.Last...)
	rec.Last = slices.Clip(rec.Last[:min(len(rec.Last), shownRuns)])
	rec.Error, rec.ErrorAt = "", 0
}
