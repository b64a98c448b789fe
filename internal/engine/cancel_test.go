package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// Once it is durable that a group is stopped nothing of it begins, be it the next
// step of a child in flight, that was ready, and though nobody was told yet.
func TestNothingOfAStoppedGroupBegins(t *testing.T) {
	for _, stop := range []string{`,"kill_switches":[{"kind":"any_failed"}]`, `,"fail_fast":true`} {
		t.Run(stop, func(t *testing.T) {
			h := serving(t, &refusing{Store: memory.Open()}, nil)
			id := h.begin(all(stop, `{"task":"boom","args":[1]}`, dbl(1, "")+`,{"task":"dbl"}`))
			jobs := map[string]*api.Job{}
			for job, n := h.next(); n != ""; job, n = h.next() {
				jobs[job.Task] = job
			}
			h.Finish(jobs["dbl"], number(2))
			h.steps() // its second step is ready
			h.Finish(jobs["boom"], api.Answer{Failure: &api.Failure{Message: "boom"}})
			for h.CommitStep() {
			}
			if job, n := h.next(); n != "" {
				t.Errorf("%s begins, given %s, in a group that is stopped", n, job.Input)
			}
			h.steps()
			if state := h.state(id); state != api.Failed {
				t.Errorf("the run is %s, want FAILED", state)
			}
		})
	}
}

// looking is a store that says when key k is looked up in the cache, and when it
// has been.
type looking struct {
	*memory.Store
	looked, seen func()
}

func (s *looking) Records(ctx context.Context, kind, from string, yield func(string, []byte) error) error {
	if from != "k" {
		return s.Store.Records(ctx, kind, from, yield)
	}
	if s.looked != nil {
		s.looked()
	}
	err := s.Store.Records(ctx, kind, from, yield)
	if s.seen != nil {
		s.seen()
	}
	return err
}

// caching is an engine all of whose tasks ask the cache.
func caching(t *testing.T, s *looking) *byHand {
	t.Helper()
	e, err := engine.New(t.Context(), engine.Config{
		Store: s, Manual: true, Now: func() time.Time { return time.Unix(1e9, 0) },
		Registry: func(task string) *pipeline.Signature {
			sig := signature(task)
			sig.Cached = true
			return sig
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &byHand{Engine: e, t: t}
}

// Who has its turn, and finds a value that was left just before, takes that; and so
// do those who waited for it meanwhile: no body runs again.
func TestTurnThatEndsWithAHit(t *testing.T) {
	s := &looking{Store: memory.Open()}
	h := caching(t, s)
	k := api.CacheUse{Key: "k"}
	var jobs []*api.Job
	for range 3 {
		h.begin(dbl(1, ""))
		job, _ := h.next()
		jobs = append(jobs, job)
	}
	if !h.Cached(jobs[0], k) {
		t.Fatal("the first body does not begin")
	}
	looks := 0
	s.seen = func() {
		switch looks++; looks {
		case 1: // the second has looked, and found nothing
			if h.Cached(jobs[2], k) {
				t.Error("the third body begins")
			}
		case 2: // the third has, too
			h.Finish(jobs[0], number(2))
			h.steps()
		}
	}
	if h.Cached(jobs[1], k) {
		t.Error("the second body begins")
	}
	h.steps()
	job, _ := h.next()
	if job == nil || job.Looked || h.Cached(job, k) {
		t.Errorf("the second body begins, though there is a value: %+v", job)
	}
	h.steps()
	if n := h.Turns(); n > 0 {
		t.Errorf("%d turns are left", n)
	}
}

// A task that asks the cache has been given to a worker, and may be taken back:
// to wait for its slots, or as its run is paused. If it was cancelled just then
// it ends at once, for nobody tells it again.
func TestCancelledWhileItAsksTheCache(t *testing.T) {
	for _, c := range []struct {
		name, options string
		paused        bool
	}{
		{"before its slots", `"tags":["a"]`, false},
		{"of a paused run", ``, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &looking{Store: memory.Open()}
			h := caching(t, s)
			h.limit(1)
			id := h.begin(dbl(1, c.options))
			job, _ := h.next()
			looks := 0
			s.looked = func() {
				if looks++; looks != 2 { // the second is once it has its turn
					return
				}
				if c.paused {
					if err := h.Pause(t.Context(), id); err != nil {
						t.Error(err)
					}
				}
				if err := h.Cancel(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
			if h.Cached(job, api.CacheUse{Key: "k"}) {
				t.Error("its body begins")
			}
			h.steps()
			if state := h.state(id); looks != 2 || state != api.Cancelled {
				t.Errorf("after %d looks the run is %s, want CANCELLED after 2", looks, state)
			}
			h.slots(nil)
		})
	}
}
