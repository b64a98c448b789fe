package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/worker"
)

// server is a process that workers come to over HTTP.
type server struct {
	*peer
	remotes *engine.Remotes
}

func serve(t *testing.T, s *memory.Store, name string) *server {
	t.Helper()
	r := engine.NewRemotes()
	known := func(task string) *pipeline.Signature {
		if task == scaling.Name {
			return nil
		}
		return signature(task)
	}
	return &server{join(t, s, name, known, func(c *engine.Config) { c.Remotes = r }), r}
}

// scaling is a task that only workers over HTTP have.
var scaling = engine.RemoteTask{TaskInfo: api.TaskInfo{Name: "scale", Kind: "task", Params: []string{"integer"}, Result: "integer"}}

// comer is a worker that comes to a server over HTTP.
type comer struct {
	*server
	id   string
	quit context.CancelFunc
	did  atomic.Int64
	told atomic.Int64 // attempts that were told to end
}

func (s *server) comes(id string, queues []string, places int) *comer {
	s.t.Helper()
	c := &comer{server: s, id: id}
	if err := s.Engine().Learn(s.t.Context(), []engine.RemoteTask{scaling}); err != nil {
		s.t.Fatal(err)
	}
	s.Engine().Join(id, engine.Reach{Name: id, Queues: queues, Tasks: []string{"scale"}})
	var ctx context.Context
	ctx, c.quit = context.WithCancel(s.t.Context())
	for range places {
		s.work.Go(func() {
			for {
				job, source, err := s.ClaimFor(ctx, id, 1)
				if err != nil {
					return
				}
				c.does(ctx, job, source)
			}
		})
	}
	s.t.Cleanup(c.goes)
	return c
}

func (c *comer) does(ctx context.Context, job *api.Job, source worker.Lender) {
	body, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	source.Begin(job, func(cause error) { c.told.Add(1); cancel(cause) })
	for c.hold.Load() && body.Err() == nil {
		select {
		case <-body.Done():
		case <-time.After(time.Second):
		}
	}
	if ctx.Err() != nil {
		source.GiveBack(job)
		return
	}
	if body.Err() != nil {
		source.Settle(job, api.Answer{Failure: &api.Failure{Message: "told to end", Code: api.ErrCancelled.Code}})
		return
	}
	source.Log(job, api.LogLine{Text: "scaled"})
	if source.Settle(job, api.Answer{Result: append([]byte(nil), job.Input...)}) {
		c.did.Add(1)
	}
}

// goes has the worker stop, and be forgotten.
func (c *comer) goes() {
	c.quit()
	c.Engine().Leave(c.id)
}

const scaled = `[{"value":[0,1,2,3,4,5,6,7,8,9]},{"each":{"steps":[{"task":"scale"}]}},{"task":"sum"}]`

// Who comes over HTTP to one server does what others have for it.
func TestWorkersOfOtherServersHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := serve(t, s, "a"), serve(t, s, "b")
		w := b.comes("w", nil, 4)
		<-time.After(4 * time.Second) // by then a knows of it
		h := a.submit(scaled)
		a.waits(h, "45")
		if n := w.did.Load(); n != 10 {
			t.Errorf("the worker of the other server did %d, want 10", n)
		}
		n := 0
		for line, err := range b.Engine().Logs(t.Context(), api.LogFilter{Run: h.ID()}) {
			if err != nil {
				t.Fatal(err)
			}
			if line.Text == "scaled" {
				n++
			}
		}
		if n != 10 {
			t.Errorf("%d lines of it were kept, want 10", n)
		}
	})
}

// What was submitted before anybody knew the queue's worker, and while several wait at
// several servers, is done once by one of them.
func TestWorkersOfAllServersShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b, c := serve(t, s, "a"), serve(t, s, "b"), serve(t, s, "c")
		if err := a.Engine().Learn(t.Context(), []engine.RemoteTask{scaling}); err != nil {
			t.Fatal(err)
		}
		h := a.submit(scaled)
		<-time.After(4 * time.Second)
		why, err := a.Engine().Why(t.Context(), h.ID())
		if err != nil || why.Counts[api.WaitsForQueue] == 0 {
			t.Fatalf("the run waits for %+v, %v; want who serves its queue", why, err)
		}
		for _, p := range []*server{a, b, c} {
			p.hold.Store(true)
		}
		workers := []*comer{a.comes("x", nil, 1), b.comes("y", nil, 1), c.comes("z", []string{"default"}, 1)}
		<-time.After(8 * time.Second)
		for _, p := range []*server{a, b, c} {
			p.hold.Store(false)
		}
		a.waits(h, "45")
		did := int64(0)
		for _, w := range workers {
			if w.did.Load() == 0 {
				t.Errorf("%s did nothing", w.id)
			}
			did += w.did.Load()
		}
		if did != 10 {
			t.Errorf("%d were done, want each of 10 once", did)
		}
	})
}

// Whoever goes, the run comes to its end.
func TestFarJobsOutliveWhoHasThem(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(a, b *server, w *comer)
	}{
		{"worker goes", func(_, _ *server, w *comer) { w.goes() }},
		{"its server closes", func(_, b *server, w *comer) { w.quit(); b.stop() }},
		{"its server stands still", func(_, b *server, _ *comer) { b.store.freeze() }},
		{"lender stands still", func(a, _ *server, _ *comer) { a.store.freeze() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.Open()
				a, b, other := serve(t, s, "a"), serve(t, s, "b"), serve(t, s, "c")
				b.hold.Store(true)
				w := b.comes("w", nil, 4)
				<-time.After(4 * time.Second)
				h := a.submit(scaled)
				<-time.After(time.Second)
				c.end(a, b, w)
				other.comes("late", nil, 2)
				<-time.After(3 * peerLease)
				b.hold.Store(false)
				other.waits(other.handle(h.ID()), "45")
				for _, p := range []*server{a, b} {
					if p.store.gate != nil {
						p.store.thaw()
					}
				}
			})
		})
	}
}

// What was borrowed for a worker that does not come for it goes back, to be done by others.
func TestFarJobsGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b, c := serve(t, s, "a"), serve(t, s, "b"), serve(t, s, "c")
		hasty := b.comes("hasty", nil, 0)
		<-time.After(4 * time.Second)
		h := a.submit(scaled)
		job, source, err := b.ClaimFor(t.Context(), hasty.id, 10) // and does not claim the others
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second)
		w := c.comes("w", nil, 1)
		<-time.After(4 * time.Second)
		if n := w.did.Load(); n != 9 {
			t.Errorf("the other worker did %d, want 9", n)
		}
		hasty.does(t.Context(), job, source)
		a.waits(h, "45")
	})
}

// A server that lost its session, and sits down again, offers its workers again.
func TestFarJobsAfterALostSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := serve(t, s, "a"), serve(t, s, "b")
		w := b.comes("w", nil, 4)
		<-time.After(4 * time.Second)
		before := b.Engine()
		b.store.freeze()
		<-time.After(3 * peerLease)
		b.store.thaw()
		<-time.After(peerLease)
		if b.Engine() == before {
			t.Fatal("it has not lost its session")
		}
		a.waits(a.submit(scaled), "45")
		if n := w.did.Load(); n != 10 {
			t.Errorf("the worker of the other server did %d, want 10", n)
		}
	})
}

// A run that is cancelled has its attempts told to end, wherever they are.
func TestFarJobsAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := serve(t, s, "a"), serve(t, s, "b")
		b.hold.Store(true)
		w := b.comes("w", nil, 4)
		<-time.After(4 * time.Second)
		h := a.submit(scaled)
		<-time.After(time.Second)
		if err := b.Engine().Cancel(t.Context(), h.ID()); err != nil {
			t.Fatal(err)
		}
		out, err := a.Wait(t.Context(), h)
		if err != nil || out.State != api.Cancelled {
			t.Errorf("the run is %s, %v", out.State, err)
		}
		if w.told.Load() != 4 {
			t.Errorf("%d attempts were told to end, want 4", w.told.Load())
		}
		if _, _, err := b.Engine().ClaimFor(t.Context(), "w", 0); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("claiming from nothing: %v", err)
		}
	})
}
