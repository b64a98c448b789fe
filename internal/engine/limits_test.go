package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// refusing is a store that refuses the next commit for good.
type refusing struct {
	*memory.Store
	next bool
}

func (s *refusing) Commit(ctx context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	if s.next {
		s.next = false
		return nil, errors.New("refused")
	}
	return s.Store.Commit(ctx, batch)
}

// byHand drives an engine on a store.
type byHand struct {
	*engine.Engine
	t     *testing.T
	store *refusing
}

func drive(t *testing.T, s *refusing) *byHand {
	t.Helper()
	e, err := engine.New(t.Context(), engine.Config{
		Store: s, Registry: signature, Manual: true, Now: func() time.Time { return time.Unix(1e9, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return &byHand{Engine: e, t: t, store: s}
}

// steps commits and goes on until there is nothing to do.
func (h *byHand) steps() {
	for h.CommitStep() || h.AdvanceStep() || h.CloseStep() {
	}
}

// submit makes a run of one task with tag a and gives the task run's id.
func (h *byHand) submit() string {
	h.t.Helper()
	id, err := h.Enqueue(h.t.Context(), &api.Spec{Steps: []api.Step{{Call: &api.Call{
		Task: "dbl", Args: api.Args{[]byte("1")}, Options: &api.Options{Tags: []string{"a"}},
	}}}}, "")
	if err != nil {
		h.t.Fatal(err)
	}
	h.steps()
	return id + "/0"
}

// next claims what a worker would be given, and gives its id, "" for nothing.
func (h *byHand) next() (*api.Job, string) {
	h.t.Helper()
	job, err := h.TryClaim(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if job == nil {
		return nil, ""
	}
	h.Begin(job, func(error) {})
	return job, job.ID
}

func (h *byHand) slots(active []string, waiting ...string) {
	h.t.Helper()
	l, err := h.Limit(h.t.Context(), "a")
	if err != nil || !slices.Equal(l.ActiveSlots, active) || !slices.Equal(l.Waiters, waiting) {
		h.t.Errorf("slots of %v, and %v wait (%v); want %v and %v", l.ActiveSlots, l.Waiters, err, active, waiting)
	}
}

func (h *byHand) limit(n int) {
	h.t.Helper()
	if err := h.SetLimit(h.t.Context(), "a", n); err != nil {
		h.t.Fatal(err)
	}
}

func TestSlotIsGivenOnOnceItsEndIsDurable(t *testing.T) {
	h := drive(t, &refusing{Store: memory.Open()})
	h.limit(1)
	first, second := h.submit(), h.submit()
	job, got := h.next()
	if _, none := h.next(); got != first || none != "" {
		t.Fatalf("claimed %q and %q, want %q and nothing", got, none, first)
	}
	h.slots([]string{first}, second)
	h.Finish(job, number(2))
	h.slots([]string{first}, second)
	if _, early := h.next(); early != "" {
		t.Errorf("%s began before its slot was durably free", early)
	}
	h.steps()
	h.slots([]string{second})
	if _, got := h.next(); got != second {
		t.Errorf("claimed %q, want %q", got, second)
	}
}

func TestSlotsAfterACrash(t *testing.T) {
	s := &refusing{Store: memory.Open()}
	h := drive(t, s)
	h.limit(1)
	first, second := h.submit(), h.submit()
	h.next()
	h.next()
	h.slots([]string{first}, second)

	h = drive(t, s) // without closing the other
	h.steps()
	h.slots(nil)
	job, got := h.next()
	if _, none := h.next(); got != first || none != "" {
		t.Fatalf("claimed %q and %q, want %q and nothing", got, none, first)
	}
	h.slots([]string{first}, second)
	h.Finish(job, number(2))
	h.steps()
	h.slots([]string{second})
}

func TestRunThatStandsStillGivesSlotsBack(t *testing.T) {
	h := drive(t, &refusing{Store: memory.Open()})
	h.limit(1)
	first, second := h.submit(), h.submit()
	job, _ := h.next()
	h.next()
	h.slots([]string{first}, second)
	h.Finish(job, number(2))
	h.store.next = true
	h.steps()
	h.slots([]string{second})
	if _, got := h.next(); got != second {
		t.Errorf("claimed %q, want %q", got, second)
	}
}

func TestPausedRunGivesBackASlotThatItHasNotUsed(t *testing.T) {
	h := drive(t, &refusing{Store: memory.Open()})
	h.limit(1)
	first, second, third := h.submit(), h.submit(), h.submit()
	job, _ := h.next()
	h.next()
	h.slots([]string{first}, second, third)
	h.Finish(job, number(2))
	h.steps()
	h.slots([]string{second}, third) // and no worker came for second
	if err := h.Pause(t.Context(), second[:36]); err != nil {
		t.Fatal(err)
	}
	h.steps()
	h.slots([]string{third})
	job, got := h.next()
	if _, none := h.next(); got != third || none != "" {
		t.Errorf("claimed %q and %q, want %q and nothing", got, none, third)
	}
	if err := h.Resume(t.Context(), second[:36]); err != nil {
		t.Fatal(err)
	}
	h.steps()
	h.next()
	h.slots([]string{third}, second)
	h.Finish(job, number(2))
	h.steps()
	if _, got := h.next(); got != second {
		t.Errorf("claimed %q, want %q", got, second)
	}
}

func TestCancelledBeforeItAsksForASlot(t *testing.T) {
	h := drive(t, &refusing{Store: memory.Open()})
	h.limit(1)
	gone := h.submit()
	if err := h.Cancel(t.Context(), gone[:36]); err != nil {
		t.Fatal(err)
	}
	h.steps()
	if _, got := h.next(); got != "" {
		t.Errorf("claimed %s, want nothing", got)
	}
	h.slots(nil)
}
