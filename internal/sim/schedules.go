package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// simSchedule is a schedule as the world made it, with all runs that it was seen to
// make.
type simSchedule struct {
	def  api.Schedule
	spec *api.Spec
	step int64           // minutes from one time to the next, counted from 1970
	runs map[string]int  // of the timetable, by the time they stand for
	all  []*simRun       // those and the triggered ones
	ends bool            // it may have cancelled a run to make the next
	row  *scheduleRecord // as stored when last looked at; nil: none
}

// scheduleRecord is what the simulation reads of a stored schedule.
type scheduleRecord struct {
	Overlap api.Overlap `json:"overlap"`
	Created int64       `json:"created"`
	Cursor  int64       `json:"cursor"`
	Queued  int64       `json:"queued"`
	Made    int64       `json:"made"`
	Skipped int64       `json:"skipped"`
	Missed  int64       `json:"missed"`
	Paused  bool        `json:"paused"`
}

// schedule makes, changes or ends a schedule at random.
func (w *world) schedule() {
	names := slices.Sorted(maps.Keys(w.schedules))
	var live []string
	for _, name := range names {
		if w.schedules[name].row != nil {
			live = append(live, name)
		}
	}
	n := w.rng.IntN(12)
	if len(live) == 0 || n < 2 && len(live) < 2 {
		w.createSchedule(fmt.Sprintf("s%d", len(names)))
		return
	}
	name := live[w.rng.IntN(len(live))]
	var what string
	var err error
	switch n {
	case 0, 1, 2: // the same again, or with other options
		s := w.schedules[name]
		if w.rng.IntN(2) == 0 {
			s.choose(w.rng)
		}
		what, err = "create", w.e.CreateSchedule(w.ctx, s.def, s.spec)
	case 3, 4:
		what, err = "pause", w.e.PauseSchedule(w.ctx, name)
	case 5, 6:
		what, err = "resume", w.e.ResumeSchedule(w.ctx, name)
	case 7:
		_, err = w.e.TriggerSchedule(w.ctx, name)
		what = "trigger"
	case 8:
		what, err = "delete", w.e.DeleteSchedule(w.ctx, name)
	default:
		w.hours()
		return
	}
	w.did("%s schedule %s: %v", what, name, err)
	if err != nil && !errors.Is(err, api.ErrConflict) && !errors.Is(err, api.ErrStore) { // it has its turn, or the store has no room
		w.broken("%s schedule %s: %v", what, name, err)
	}
	w.findScheduled()
}

// hours lets some time pass.
func (w *world) hours() {
	w.quick()
	w.now = w.now.Add(time.Duration(1+w.rng.IntN(4*60)) * time.Minute)
	w.did("time passes, to %s", w.now.Format(time.DateTime))
	w.e.Tick()
}

func (w *world) createSchedule(name string) {
	s := &simSchedule{step: []int64{10, 15, 20, 30, 60}[w.rng.IntN(5)], runs: map[string]int{}}
	s.def = api.Schedule{Name: name, Timetable: api.Timetable{Every: api.Duration(s.step) * api.Duration(time.Minute)}}
	if w.rng.IntN(2) == 0 && s.step < 60 {
		s.def.Timetable = api.Timetable{Cron: fmt.Sprintf("*/%d * * * *", s.step), Zone: "Europe/Berlin"}
	}
	s.choose(w.rng)
	s.spec = newGenerator(w.rng, w.faults).pipeline(w.rng.IntN(2))
	w.schedules[name] = s
	err := w.e.CreateSchedule(w.ctx, s.def, s.spec)
	w.did("create schedule %s of every %d minutes, %s, %s: %v", name, s.step, s.def.Overlap, s.def.CatchUp, err)
	if err != nil {
		w.broken("create schedule %s: %v", name, err)
	}
	w.findScheduled()
}

// choose takes options at random.
func (s *simSchedule) choose(c chooser) {
	s.def.Overlap = []api.Overlap{api.OverlapSkip, api.OverlapAllow, api.OverlapQueue, api.OverlapCancel}[c.IntN(4)]
	s.ends = s.ends || s.def.Overlap == api.OverlapCancel
	s.def.CatchUp = []api.CatchUp{api.CatchUpLatest, api.CatchUpAll, api.CatchUpNone}[c.IntN(3)]
	s.def.Window = api.Duration(time.Duration(c.IntN(120)) * time.Minute)
}

// findScheduled reads from the store what the schedules have made, and holds it
// against what they may make. Records and runs are written in one commit, so they
// agree whenever one looks.
func (w *world) findScheduled() {
	if len(w.schedules) == 0 {
		return
	}
	was := map[string]*scheduleRecord{}
	for name, s := range w.schedules {
		was[name], s.row = s.row, nil
	}
	err := w.store.Records(w.ctx, "schedule", "", func(name string, value []byte) error {
		s := w.schedules[name]
		s.row = new(scheduleRecord)
		return json.Unmarshal(value, s.row)
	})
	if err != nil {
		w.broken("schedules: %v", err)
	}
	for _, row := range w.newRuns() {
		w.adopt(row, was)
	}
	for _, name := range slices.Sorted(maps.Keys(w.schedules)) {
		w.tally(name, w.schedules[name])
	}
}

// newRuns reads the runs that were not seen yet, oldest first.
func (w *world) newRuns() (rows []store.RunRow) {
	page, err := w.store.Runs(w.ctx, api.RunFilter{}, 0, 1000)
	if err != nil {
		w.broken("runs: %v", err)
	}
	for _, row := range page {
		var cell store.RunCell
		if err := cell.Decode(row.Cell); err != nil {
			w.broken("run %d: %v", row.ID, err)
		}
		if cell.Schedule != nil && !w.adopted[row.ID] {
			rows = append(rows, row)
		}
	}
	slices.Reverse(rows)
	return rows
}

// adopt takes a run that a schedule made for one of the world's.
func (w *world) adopt(row store.RunRow, was map[string]*scheduleRecord) {
	var cell store.RunCell
	var by api.ScheduleTime
	if err := errors.Join(cell.Decode(row.Cell), json.Unmarshal(cell.Schedule, &by)); err != nil {
		w.broken("run %d: %v", row.ID, err)
		return
	}
	s := w.schedules[by.Name]
	run, err := w.e.Status(w.ctx, uuid.UUID(row.UID).String())
	if err != nil || run.Schedule == nil || *run.Schedule != by && !run.Schedule.At.Equal(by.At) {
		w.broken("run %d is told to be of %+v (%v), and is of %+v", row.ID, run.Schedule, err, by)
		return
	}
	r := &simRun{trigger: by.By == "trigger", spec: s.spec, id: run.ID, number: row.ID, life: w.life, stored: true, fuzzy: w.faults.zero}
	if r.handle, err = w.e.Find(w.ctx, r.id); err != nil {
		w.broken("run %d of schedule %s: %v", row.ID, by.Name, err)
		return
	}
	w.adopted[row.ID] = true
	r.foretell(0)
	w.runs = append(w.runs, r)
	w.did("schedule %s makes run %d for %s, by %s: %s", by.Name, row.ID, by.At.Format(time.DateTime), by.By, encode(s.spec))
	w.counts["scheduled"]++
	if by.By == "timetable" {
		w.mayMake(s, r, by, was[by.Name])
	}
	s.all = append(s.all, r)
	w.see(r)
}

// mayReplace reports whether a schedule may be cancelling a run, which is not durable
// yet.
func (w *world) mayReplace(r *simRun) bool {
	for _, s := range w.schedules {
		if s.ends && slices.Contains(s.all, r) {
			return true
		}
	}
	return false
}

// mayMake: a time of the timetable makes one run, and where runs must not overlap
// only when those before it have ended.
func (w *world) mayMake(s *simSchedule, r *simRun, by api.ScheduleTime, was *scheduleRecord) {
	at := by.At.UTC().Format(time.DateTime)
	s.runs[at]++
	switch {
	case s.runs[at] > 1:
		w.broken("schedule %s makes %d runs for %s", by.Name, s.runs[at], at)
	case by.At.Unix()%(60*s.step) != 0 || by.At.After(w.now):
		w.broken("schedule %s makes a run for %s, which is none of its times", by.Name, at)
	case was == nil || was.Paused:
		w.broken("schedule %s makes a run though it is paused or gone", by.Name)
	case was.Overlap != api.OverlapAllow:
		for _, other := range s.all {
			if w.isLive(other) && other.retries == 0 {
				w.broken("schedule %s, %s, makes run %d while run %d is %s", by.Name, was.Overlap, r.number, other.number, other.last.State)
			}
		}
	}
}

// isLive reports whether a run has not durably ended.
func (w *world) isLive(r *simRun) bool {
	if slices.Contains(w.removed, r) {
		return false
	}
	w.see(r)
	return !r.last.State.Final()
}

// tally: each time up to the cursor has made one run, or is counted as one that
// made none.
func (w *world) tally(name string, s *simSchedule) {
	if s.row == nil {
		return
	}
	minute := int64(time.Minute / time.Microsecond)
	times := s.row.Cursor/(minute*s.step) - s.row.Created/(minute*s.step)
	dealt := int64(len(s.runs)) + s.row.Skipped + s.row.Missed + min(s.row.Queued, 1)
	if times != dealt || s.row.Made != int64(len(s.all)) {
		w.broken("schedule %s has had %d times: %d runs, and %+v; seen are %d runs", name, times, len(s.runs), *s.row, len(s.all))
	}
}

// endSchedules: what has come was dealt with; then there are no more, for they
// would never come to an end.
func (w *world) endSchedules() {
	if len(w.schedules) == 0 || w.err != nil {
		return
	}
	for range 3 { // what the store refused is tried again within a minute
		w.quick()
		w.now = w.now.Add(61 * time.Second)
		w.e.Tick()
		for range 10_000 {
			if w.err != nil || !w.e.ScheduleStep() && !w.work() {
				break
			}
		}
	}
	w.findScheduled()
	for _, name := range slices.Sorted(maps.Keys(w.schedules)) {
		s := w.schedules[name]
		if s.row == nil {
			continue
		}
		open := slices.ContainsFunc(s.all, w.isLive)
		for _, r := range s.all {
			if s.row.Overlap == api.OverlapCancel && !s.row.Paused && s.row.Queued > 0 && w.isLive(r) && !r.trigger && r.retries == 0 && !r.cancels {
				w.broken("in the end schedule %s waits for run %d, which nobody cancelled", name, r.number)
			}
		}
		minute := int64(time.Minute / time.Microsecond)
		due := w.now.UnixMicro()/(minute*s.step) - s.row.Cursor/(minute*s.step)
		if !s.row.Paused && (due > 0 || s.row.Queued > 0 && !open) {
			w.broken("in the end schedule %s has %d times that nobody dealt with: %+v", name, due, *s.row)
		}
		w.counts["skipped times"] += int(s.row.Skipped)
		w.counts["missed times"] += int(s.row.Missed)
		if err := w.e.DeleteSchedule(w.ctx, name); err != nil {
			w.broken("delete schedule %s: %v", name, err)
		}
	}
	w.findScheduled()
}
