package remote_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/remote"
	"github.com/runnel-dev/runnel/internal/worker"
)

// floor is an engine that has jobs for whoever comes.
type floor struct {
	mu     sync.Mutex
	ready  []*api.Job
	news   chan struct{}
	joined map[string]bool
	said   []string // what became of jobs, in order
	cancel map[string]func(error)
	trace  string          // of all runs
	late   map[string]bool // jobs whose answer nobody waits for
}

func newFloor() *floor {
	return &floor{news: make(chan struct{}), joined: map[string]bool{}, cancel: map[string]func(error){}, late: map[string]bool{}}
}

func (f *floor) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.ready = append(f.ready, &api.Job{Run: "r", Task: "t", ID: fmt.Sprintf("r/%d", len(f.ready)), Attempt: 1, Index: -1, Input: []byte(`{"x": 1}`), Bound: api.Args{[]byte("2"), []byte(`"three"`)}})
	}
	close(f.news)
	f.news = make(chan struct{})
}

func (f *floor) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

// noted gives what was noted since it was asked last.
func (f *floor) noted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	said := f.said
	f.said = nil
	return said
}

func (f *floor) Learn(context.Context, []remote.Task) error { return nil }

func (f *floor) Join(id, _ string, _, _ []string) {
	f.mu.Lock()
	f.joined[id] = true
	f.mu.Unlock()
}

func (f *floor) Leave(id string) {
	f.mu.Lock()
	delete(f.joined, id)
	f.mu.Unlock()
}

func (f *floor) ClaimFor(ctx context.Context, _ string, places int) (*api.Job, worker.Lender, error) {
	for {
		f.mu.Lock()
		if len(f.ready) > 0 {
			job := f.ready[0]
			f.ready = f.ready[1:]
			f.mu.Unlock()
			return job, f, nil
		}
		news := f.news
		f.mu.Unlock()
		if places == 0 {
			return nil, nil, api.ErrNotFound
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

func (f *floor) Cached(_ *api.Job, use api.CacheUse) bool { return use.Key != "there" }

func (f *floor) Begin(job *api.Job, cancel func(error)) {
	f.mu.Lock()
	f.cancel[job.ID] = cancel
	f.mu.Unlock()
}

func (f *floor) Name(job *api.Job, name string) { f.note("%s is named %s", job.ID, name) }

func (f *floor) Finish(job *api.Job, a api.Answer) { f.Settle(job, a) }

func (f *floor) Settle(job *api.Job, a api.Answer) bool {
	switch {
	case f.late[job.ID]:
		return false
	case a.Failure != nil:
		f.note("%s failed: %s", job.ID, a.Failure.Message)
	default:
		f.note("%s gave %s", job.ID, a.Result)
	}
	return true
}

func (f *floor) GiveBack(job *api.Job) { f.note("%s is back", job.ID) }

func (f *floor) Heartbeat(job *api.Job) error {
	f.note("%s makes progress", job.ID)
	return nil
}

func (f *floor) Token(_ context.Context, job *api.Job) (string, error) {
	return "token of " + job.ID, nil
}

func (f *floor) Acquire(context.Context, *api.Job, api.SlotRequest) (int64, error) { return 7, nil }

func (f *floor) Release(job *api.Job, grant int64) { f.note("%s releases %d", job.ID, grant) }

func (f *floor) Trace(*api.Job) string { return f.trace }

func (f *floor) Log(job *api.Job, l api.LogLine) { f.note("%s says %s %s", job.ID, l.Level, l.Text) }

// registered is a hub with one worker.
func registered(t *testing.T, f *floor, slots int) (h *remote.Hub, id string) {
	t.Helper()
	h = remote.NewHub(f, slog.New(slog.DiscardHandler))
	t.Cleanup(h.Close)
	return h, register(t, h, slots)
}

func register(t *testing.T, h *remote.Hub, slots int) string {
	t.Helper()
	r, err := h.RegisterWorker(t.Context(), remote.Registration{Name: "w", Slots: slots, Tasks: []remote.Task{{Name: "t", Hooks: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Worker
}

// claimed claims up to n attempts, without waiting.
func claimed(t *testing.T, h *remote.Hub, id string, n int) (attempts []string) {
	t.Helper()
	out, err := h.ClaimTasks(t.Context(), id, remote.Claim{Max: n})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range out.Attempts {
		attempts = append(attempts, a.Attempt)
	}
	return attempts
}
