package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// slotRig is an engine that is driven by hand, on a clock that is.
type slotRig struct {
	*Engine
	t     testing.TB
	store store.Store
	clock time.Time
}

func newSlotRig(t testing.TB, db store.Store, clock time.Time) *slotRig {
	t.Helper()
	r := &slotRig{t: t, store: db, clock: clock}
	e, err := New(t.Context(), Config{
		Store: db, Manual: true, Now: func() time.Time { return r.clock },
		Registry: func(name string) *pipeline.Signature { return &pipeline.Signature{Name: name, Result: "none"} },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Engine = e
	return r
}

func (r *slotRig) limit(name string, n int, decay float64) {
	r.t.Helper()
	if err := r.SetGlobalLimit(r.t.Context(), api.GlobalLimit{Name: name, Limit: n, Decay: decay}); err != nil {
		r.t.Fatal(err)
	}
}

// body begins one.
func (r *slotRig) body() *api.Job {
	r.t.Helper()
	if _, err := r.Enqueue(r.t.Context(), &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "t"}}}}, ""); err != nil {
		r.t.Fatal(err)
	}
	r.steps()
	job, err := r.TryClaim(r.t.Context())
	if err != nil || job == nil {
		r.t.Fatalf("no job: %v", err)
	}
	r.Begin(job, func(error) {})
	return job
}

func (r *slotRig) steps() {
	for r.CommitStep() || r.AdvanceStep() {
	}
}

// ask asks for slots, which are given at once or not.
func (r *slotRig) ask(job *api.Job, n int, now bool, names ...string) *SlotTurn {
	r.t.Helper()
	turn, err := r.AskSlots(job, api.SlotRequest{Names: names, Slots: n})
	if err != nil {
		r.t.Fatal(err)
	}
	if turn.come() != now {
		r.t.Errorf("asked for %d of %v: at once is %t, want %t", n, names, !now, now)
	}
	return turn
}

func (t *SlotTurn) come() bool {
	select {
	case <-t.Ready():
		return true
	default:
		return false
	}
}

func (r *slotRig) waits(job *api.Job, position int, names ...string) {
	r.t.Helper()
	t := job.Key.(*task)
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	got, at, waits := r.slotWait(t)
	if w := t.waits(); (w.Kind == api.WaitsForLimit) != (names != nil) || w.Place != position || w.Key != strings.Join(names, ", ") {
		r.t.Errorf("it says that it %s, want that it waits for %v", w, names)
	}
	if !slices.Equal(got, names) || at != position || waits != (names != nil) {
		r.t.Errorf("waits for %v at %d (%t), want %v at %d", got, at, waits, names, position)
	}
}

func TestSlotWait(t *testing.T) {
	r := newSlotRig(t, memory.Open(), time.Unix(1e9, 0))
	r.limit("a", 1, 0)
	r.limit("b", 1, 0)
	first, second, third := r.body(), r.body(), r.body()
	r.waits(first, 0)
	r.ask(first, 1, true, "a")
	r.waits(first, 0)
	turn := r.ask(second, 1, false, "a")
	both := r.ask(third, 1, false, "a", "b")
	r.waits(second, 1, "a")
	r.waits(third, 2, "a", "b")
	if !turn.Withdraw() || turn.Withdraw() {
		t.Error("who waits can't withdraw once")
	}
	r.waits(second, 0)
	r.waits(third, 1, "a", "b")
	r.Finish(first, api.Answer{})
	if !both.come() {
		t.Error("the end of a body gives nothing back")
	}
	r.waits(third, 0)
	if n := len(r.slots.owners); n != 2 {
		t.Errorf("%d bodies are known, want the two that run", n)
	}
}

// Slots are given back by who has them, once; a body that has ended has none.
func TestReleaseIsTheOwners(t *testing.T) {
	r := newSlotRig(t, memory.Open(), time.Unix(1e9, 0))
	r.limit("a", 2, 0)
	first, second := r.body(), r.body()
	grant, err := r.ask(first, 1, true, "a").Grant()
	if err != nil {
		t.Fatal(err)
	}
	used := func(want int) {
		t.Helper()
		if l, err := r.GlobalLimit(t.Context(), "a"); err != nil || l.ActiveSlots != want {
			t.Errorf("%d slots are active (%v), want %d", l.ActiveSlots, err, want)
		}
	}
	r.Release(second, grant)
	r.Release(nil, grant)
	used(1)
	r.Release(first, grant)
	used(0)
	r.ask(second, 1, true, "a")
	r.Release(first, grant)
	used(1)
	waits := r.ask(first, 2, false, "a")
	r.Finish(first, api.Answer{})
	if _, err := waits.Grant(); !waits.come() || !errors.Is(err, api.ErrConflict) {
		t.Errorf("a body that has ended waits (%v)", err)
	}
	if _, err := r.AskSlots(first, api.SlotRequest{Names: []string{"a"}, Slots: 1}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a body that has ended asks: %v", err)
	}
	r.Finish(second, api.Answer{})
	used(0)
	if len(r.slots.owners)+len(r.slots.grants) > 0 {
		t.Errorf("left are %v and %v", r.slots.owners, r.slots.grants)
	}
}

// reluctant is a store that refuses records for a while.
type reluctant struct {
	*memory.Store
	refuses, writes int
}

func (s *reluctant) PutRecords(ctx context.Context, writes ...store.RecordWrite) error {
	if s.refuses > 0 {
		s.refuses--
		return errors.New("not now")
	}
	s.writes++
	return s.Store.PutRecords(ctx, writes...)
}

// What is used up of a rate is written once a second at most, and survives a crash
// then.
func TestLevelAfterACrash(t *testing.T) {
	db := &reluctant{Store: memory.Open()}
	r := newSlotRig(t, db, time.Unix(1e9, 0))
	r.limit("a", 100, 0.1)
	use := func(n int) {
		t.Helper()
		if _, err := r.AskSlots(nil, api.SlotRequest{Names: []string{"a"}, Slots: n, Rate: true}); err != nil {
			t.Fatal(err)
		}
	}
	used := func(want int) {
		t.Helper()
		if l, err := r.GlobalLimit(t.Context(), "a"); err != nil || l.ActiveSlots != want {
			t.Errorf("%d slots are active (%v), want %d", l.ActiveSlots, err, want)
		}
	}
	for range 10 {
		use(2)
	}
	db.refuses = 1
	for range 3 {
		r.clock = r.clock.Add(time.Second)
		r.Tick()
	}
	if db.writes != 2 {
		t.Errorf("%d writes, want the definition and the level", db.writes)
	}
	use(30) // which a crash forgets
	used(50)
	r = newSlotRig(t, db, r.clock)
	used(20)
	r.clock = r.clock.Add(47 * time.Second)
	used(15)
	if err := r.ResetGlobalLimit(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	r = newSlotRig(t, db, r.clock)
	used(0)
}

// A body that ignores that it is cancelled has no slots once it is given up.
func TestSlotsOfABodyThatIsGivenUp(t *testing.T) {
	r := newSlotRig(t, memory.Open(), time.Unix(1e9, 0))
	r.limit("a", 1, 0)
	first, second := r.body(), r.body()
	r.ask(first, 1, true, "a")
	waits := r.ask(second, 1, false, "a")
	if err := r.Cancel(t.Context(), first.Run); err != nil {
		t.Fatal(err)
	}
	r.steps()
	if waits.come() {
		t.Error("slots are given on while the body may use them")
	}
	r.clock = r.clock.Add(5 * time.Second)
	r.Tick()
	if !waits.come() {
		t.Error("slots are not given on though the body was given up")
	}
	r.Finish(first, api.Answer{})
	if l, err := r.GlobalLimit(t.Context(), "a"); err != nil || l.ActiveSlots != 1 || l.Holders[0].TaskRun != second.ID {
		t.Errorf("limit is %+v (%v)", l, err)
	}
}
