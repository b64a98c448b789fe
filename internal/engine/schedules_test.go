package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// full is a store that can be out of room, and whose commits can be the last thing
// that an engine did.
type full struct {
	*memory.Store
	refuse error // of commits
}

func (s *full) Commit(ctx context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	return s.Store.Commit(ctx, batch)
}

// clocked drives an engine by hand, with a clock that goes wherever it is set.
type clocked struct {
	*engine.Engine
	t     *testing.T
	store *full
	now   time.Time
}

func newClocked(t *testing.T) *clocked {
	c := &clocked{t: t, store: &full{Store: memory.Open()}, now: time.Unix(0, 0).Add(1000 * time.Hour)}
	c.open()
	return c
}

// open begins with another engine; the one before is gone as after a crash.
func (c *clocked) open() {
	c.t.Helper()
	e, err := engine.New(c.t.Context(), engine.Config{Store: c.store, Registry: signature, Manual: true, Now: func() time.Time { return c.now }})
	if err != nil {
		c.t.Fatal(err)
	}
	c.Engine = e
}

func (c *clocked) create(o api.Overlap) {
	c.t.Helper()
	spec := &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "dbl", Args: api.Args{[]byte("1")}}}}}
	def := api.Schedule{Name: "s", Timetable: api.Timetable{Every: api.Duration(time.Hour)}, Overlap: o, CatchUp: api.CatchUpAll, Window: api.Duration(100 * time.Hour)}
	if err := c.CreateSchedule(c.t.Context(), def, spec); err != nil {
		c.t.Fatal(err)
	}
}

// pass moves the clock, also backwards, and does all there is to do.
func (c *clocked) pass(d time.Duration) {
	c.now = c.now.Add(d)
	c.Tick()
	c.steps()
}

func (c *clocked) steps() {
	for c.ScheduleStep() || c.CommitStep() || c.AdvanceStep() {
	}
}

// made checks the hours that the stored runs stand for, counted from the start.
func (c *clocked) made(want ...int) {
	c.t.Helper()
	var got []int
	for run, err := range c.Runs(c.t.Context(), api.RunFilter{}) {
		if err != nil {
			c.t.Fatal(err)
		}
		got = append(got, int(run.Schedule.At.Sub(time.Unix(0, 0))/time.Hour)-1000)
	}
	slices.Reverse(got)
	if !slices.Equal(got, want) {
		c.t.Errorf("runs for %v, want %v", got, want)
	}
	s, err := c.Schedule(c.t.Context(), "s")
	if err != nil || int(s.Made) != len(want) {
		c.t.Errorf("made %d (%v), want %d", s.Made, err, len(want))
	}
}

func TestScheduleCrash(t *testing.T) {
	c := newClocked(t)
	c.create(api.OverlapAllow)
	c.pass(time.Hour)
	c.made(1)
	c.now = c.now.Add(time.Hour)
	c.Tick()
	c.ScheduleStep() // the run is queued, and no more
	c.open()
	c.made(1)
	c.steps()
	c.made(1, 2)
	c.now = c.now.Add(time.Hour)
	c.Tick()
	c.ScheduleStep()
	c.CommitStep() // it is durable, and nobody was told
	c.open()
	c.steps()
	c.made(1, 2, 3)
}

func TestScheduleWhoseStoreIsFull(t *testing.T) {
	for _, refuse := range []error{fmt.Errorf("no room: %w", store.ErrRetry), errors.New("some other reason")} {
		c := newClocked(t)
		c.create(api.OverlapAllow)
		c.store.refuse = refuse
		c.pass(time.Hour)
		c.pass(time.Second)
		c.pass(3 * time.Second)
		c.store.refuse = nil
		c.made()
		c.pass(time.Second) // it waits longer each time
		c.made()
		c.pass(10 * time.Second)
		c.made(1)
		c.pass(time.Hour)
		c.made(1, 2)
	}
}

func TestScheduleWhenTheClockIsSet(t *testing.T) {
	c := newClocked(t)
	c.create(api.OverlapAllow)
	c.pass(time.Hour)
	c.pass(-30 * time.Minute)
	c.made(1)
	c.pass(30 * time.Minute) // the same time comes again
	c.made(1)
	c.pass(-10 * time.Hour)
	c.open()
	c.steps()
	c.made(1)
	c.pass(11 * time.Hour)
	c.made(1, 2)
	c.pass(3 * time.Hour)
	c.made(1, 2, 3, 4, 5)
	c.pass(-2 * time.Hour)
	c.pass(3 * time.Hour)
	c.made(1, 2, 3, 4, 5, 6)
	c.pass(-5 * time.Hour)
	for _, do := range []func(context.Context, string) error{c.PauseSchedule, c.ResumeSchedule} {
		if err := do(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(6 * time.Hour)
	c.made(1, 2, 3, 4, 5, 6, 7)
}

// Who changes a schedule while its run is being made goes first: what was decided by
// what it was before counts no more.
func TestScheduleChangedWhileItsRunIsMade(t *testing.T) {
	c := newClocked(t)
	c.create(api.OverlapAllow)
	step := func() {
		c.now = c.now.Add(time.Hour)
		c.Tick()
		c.ScheduleStep() // the run is queued
	}
	do := func(change func(context.Context, string) error) {
		t.Helper()
		if err := change(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
	}
	step()
	do(c.PauseSchedule)
	c.steps()
	c.made()
	do(c.ResumeSchedule)
	c.steps()
	step()
	c.CommitStep() // and durable
	do(c.PauseSchedule)
	c.pass(5 * time.Hour)
	c.made(2)
	do(c.ResumeSchedule)
	c.steps()
	step()
	if _, err := c.TriggerSchedule(t.Context(), "s"); err != nil { // queued behind it, and refused
		t.Fatal(err)
	}
	c.steps()
	c.made(2, 8)
	step()
	do(c.DeleteSchedule)
	c.steps()
	n := 0
	for _, err := range c.Runs(t.Context(), api.RunFilter{}) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 2 {
		t.Errorf("%d runs after the schedule was deleted, want 2", n)
	}
}

func TestScheduleThatCantBeRead(t *testing.T) {
	c := newClocked(t)
	c.create(api.OverlapAllow)
	value := `{"timetable":{"cron":"0 9 * * *","zone":"Atlantis/Capital"},"pipeline":{"runnel":1,"steps":[]},"cursor":1}`
	if err := c.store.PutRecords(t.Context(), store.RecordWrite{Kind: "schedule", Key: "lost", Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
	c.open()
	c.pass(time.Hour)
	c.made(1) // the other one goes on
	s, err := c.Schedule(t.Context(), "lost")
	if err != nil || s.Error == "" || s.Next != nil {
		t.Errorf("got %+v (%v)", s, err)
	}
	if _, err := c.TriggerSchedule(t.Context(), "lost"); !errors.Is(err, api.ErrStore) {
		t.Errorf("triggered: %v", err)
	}
	if _, err := c.Backfill(t.Context(), "lost", c.now.Add(-time.Hour), c.now); !errors.Is(err, api.ErrStore) {
		t.Errorf("backfilled: %v", err)
	}
	if err := c.DeleteSchedule(t.Context(), "lost"); err != nil {
		t.Error(err)
	}
	for _, value := range []string{`{`, `{"cursor":"x"}`} {
		if err := c.store.PutRecords(t.Context(), store.RecordWrite{Kind: "schedule", Key: "bad", Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		if _, err := engine.New(t.Context(), engine.Config{Store: c.store, Registry: signature, Manual: true}); !errors.Is(err, api.ErrStore) {
			t.Errorf("opened with %s: %v", value, err)
		}
	}
}
