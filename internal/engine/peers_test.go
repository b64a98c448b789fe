package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/worker"
)

const peerLease = 10 * time.Second

// frozen is a session whose process stands still when told to: what it asks of
// the store comes later.
type frozen struct {
	store.Shared

	deaf    atomic.Bool  // letters do not come
	away    atomic.Bool  // runs can't be read
	expired atomic.Int64 // calls of Expire
	news    atomic.Int64 // letters with changes

	mu    sync.Mutex
	gate  chan struct{} // nil: it does not stand still
	last  time.Time     // when the lease was renewed last
	left  int           // writes until it stands still; 0: it goes on
	after bool          // the last of them is done, which nobody hears of
}

var _ store.Shared = (*frozen)(nil)

func (f *frozen) freeze() {
	f.mu.Lock()
	f.gate = make(chan struct{})
	f.mu.Unlock()
}

func (f *frozen) thaw() {
	f.mu.Lock()
	close(f.gate)
	f.gate = nil
	f.mu.Unlock()
}

func (f *frozen) pass() {
	f.mu.Lock()
	gate := f.gate
	f.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

// standAt has the process stand still at its n-th write from now on: before it, or
// after.
func (f *frozen) standAt(n int, after bool) {
	f.mu.Lock()
	f.left, f.after = n, after
	f.mu.Unlock()
}

// write does a write, unless the process stands still.
func (f *frozen) write(do func()) {
	f.mu.Lock()
	last := f.left == 1
	f.left = max(f.left-1, 0)
	after := f.after
	f.mu.Unlock()
	if last && !after {
		f.freeze()
	}
	f.pass()
	do()
	if last && after {
		f.freeze()
		f.pass()
	}
}

func (f *frozen) Commit(ctx context.Context, batch []*store.Transition) (closed []store.FrameRef, err error) {
	f.write(func() { closed, err = f.Shared.Commit(ctx, batch) })
	return closed, err
}

func (f *frozen) PutRecords(ctx context.Context, writes ...store.RecordWrite) (err error) {
	f.write(func() { err = f.Shared.PutRecords(ctx, writes...) })
	return err
}

func (f *frozen) Expire(ctx context.Context, before int64, limit int) (int, bool, error) {
	f.pass()
	f.expired.Add(1)
	return f.Shared.Expire(ctx, before, limit)
}

func (f *frozen) Run(ctx context.Context, id int64) (store.RunRow, error) {
	if f.away.Load() {
		return store.RunRow{}, store.ErrRetry
	}
	return f.Shared.Run(ctx, id)
}

func (f *frozen) Beat(ctx context.Context, offer []byte) ([]store.Member, int, error) {
	f.pass()
	f.mu.Lock()
	f.last = time.Now()
	f.mu.Unlock()
	return f.Shared.Beat(ctx, offer)
}

func (f *frozen) beat() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

func (f *frozen) Send(ctx context.Context, letters []store.Letter) error {
	f.pass()
	for i := range letters {
		if bytes.Contains(letters[i].Body, []byte("changes.news")) {
			f.news.Add(1)
		}
	}
	return f.Shared.Send(ctx, letters)
}

func (f *frozen) Receive(ctx context.Context, done []int64, limit int) ([]store.Letter, error) {
	f.pass()
	if f.deaf.Load() {
		return nil, nil
	}
	return f.Shared.Receive(ctx, done, limit)
}

// peer is a process: an engine, and workers that do what body does.
type peer struct {
	*engine.Seat
	t     *testing.T
	store *frozen
	watch atomic.Pointer[together]
	ended atomic.Bool
	hold  atomic.Bool // bodies wait until hold ends, or they are told to end
	begun atomic.Int64
	told  atomic.Int64 // bodies that were told to end
	takes atomic.Int64 // how long a body of dbl, kept or fresh takes
	quit  context.CancelFunc
	work  sync.WaitGroup
	flows flows
}

// queues has a process serve some queues only, or none.
func queues(names ...string) func(*engine.Config) {
	return func(c *engine.Config) { c.Queues = append([]string{}, names...) }
}

func join(t *testing.T, s *memory.Store, name string, registry pipeline.Registry, more ...func(*engine.Config)) *peer {
	t.Helper()
	p := &peer{t: t, store: &frozen{Shared: s.Join(name, peerLease, time.Now)}}
	cfg := engine.Config{Store: p.store, Registry: registry, Logger: slog.New(slog.DiscardHandler), Places: 4, Tasks: peerTasks}
	for _, change := range more {
		change(&cfg)
	}
	seat, err := engine.Sit(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.Seat = seat
	ctx, quit := context.WithCancel(t.Context())
	p.quit = quit
	for range 4 {
		p.work.Go(func() { p.worker(ctx) })
	}
	t.Cleanup(p.stop)
	return p
}

func (p *peer) worker(ctx context.Context) {
	for {
		job, from, err := p.Claim(ctx)
		if err != nil {
			return
		}
		if job.Task == "flow" {
			p.work.Go(func() { p.flow(ctx, from, job) })
			continue
		}
		if (job.Task == "kept" || job.Task == "fresh") && !job.Looked && !from.Cached(job, api.CacheUse{Key: keyOf(job)}) {
			continue
		}
		body, cancel := context.WithCancelCause(ctx)
		from.Begin(job, cancel)
		give, err := acquire(body, from, job)
		if err != nil {
			from.Finish(job, api.Answer{Failure: &api.Failure{Message: err.Error(), Code: codeOf(err)}})
			cancel(nil)
			continue
		}
		p.begun.Add(1)
		leave := func() {}
		watched := slices.Contains([]string{"dbl", "fresh", "kept", "limited", "rated"}, job.Task)
		if o := p.watch.Load(); o != nil && watched {
			leave = o.enter(p, has(job)...)
		}
		if d := time.Duration(p.takes.Load()); d > 0 && watched {
			select {
			case <-body.Done():
			case <-time.After(d):
			}
		}
		for p.hold.Load() && body.Err() == nil {
			select {
			case <-body.Done():
			case <-time.After(time.Second):
			}
		}
		if body.Err() != nil {
			p.told.Add(1)
		}
		leave()
		give()
		from.Log(job, api.LogLine{TaskRun: job.ID, Task: job.Task, Attempt: job.Attempt, Time: time.Now(), Level: "INFO", Text: job.Task})
		from.Finish(job, answer(body, from, job))
		cancel(nil)
	}
}

func keyOf(job *api.Job) string {
	return job.Task + string(slices.Concat(append(slices.Clone(job.Bound), job.Input)...))
}

// has names what a body has turns or slots of.
func has(job *api.Job) (names []string) {
	switch job.Task {
	case "fresh", "kept":
		names = append(names, "key "+keyOf(job))
	case "limited":
		names = append(names, "limit g")
	}
	if job.TaskID != "" {
		names = append(names, "id "+job.TaskID)
	}
	for _, tag := range job.Tags {
		names = append(names, "tag "+tag)
	}
	return names
}

// acquire takes the slots that a body of a task with them needs: "limited" one of "g",
// "rated" one of "r", and "cross" one of "x" and then one of "y", or the other way round.
func acquire(ctx context.Context, e worker.Source, job *api.Job) (give func(), err error) {
	var grants []int64
	give = func() {
		for _, grant := range grants {
			e.Release(job, grant)
		}
	}
	of := map[string][]string{"limited": {"g"}, "rated": {"r"}, "cross": {"x", "y"}}[job.Task]
	if len(of) > 1 && string(job.Bound[0]) == "1" {
		of = []string{"y", "x"}
	}
	for _, name := range of {
		grant, err := e.Acquire(ctx, job, api.SlotRequest{Names: []string{name}, Slots: 1, Rate: name == "r"})
		if err != nil {
			return nil, err
		}
		grants = append(grants, grant)
		if len(of) > 1 {
			<-time.After(time.Second)
		}
	}
	return give, nil
}

func codeOf(err error) (code api.Code) {
	if known, is := errors.AsType[*api.Error](err); is {
		code = known.Code
	}
	return code
}

// answer is body's, but for a task that waits for an answer from outside.
func answer(ctx context.Context, e worker.Source, job *api.Job) api.Answer {
	if job.Task != "ask" {
		a := body(job)
		if job.TaskID != "" { // the state under it counts bodies
			n, _ := strconv.Atoi(string(job.Keyed))
			a.Keyed, a.SetKeyed = []byte(strconv.Itoa(n+1)), true
		}
		return a
	}
	token, err := e.Token(ctx, job)
	if err != nil {
		return api.Answer{Failure: &api.Failure{Message: err.Error()}}
	}
	e.Log(job, api.LogLine{TaskRun: job.ID, Task: job.Task, Time: time.Now(), Level: "INFO", Text: "token " + token})
	return api.Answer{Pending: true}
}

// stop ends the process in order.
func (p *peer) stop() { p.stopWithin(time.Hour) }

func (p *peer) stopped() bool { return p.ended.Load() }

// stand has the process stand still for three leases, or be cut off from the others, with the bodies in it.
func (p *peer) stand() {
	p.hold.Store(true)
	p.store.freeze()
	go func() {
		o := p.watch.Load()
		<-time.After(time.Until(p.store.beat().Add(peerLease - time.Millisecond)))
		o.cutOff(p, true)
		<-time.After(2 * peerLease)
		p.hold.Store(false)
		p.store.thaw()
		<-time.After(time.Millisecond)
		o.cutOff(p, false)
	}()
}

// stopWithin waits so long for bodies that run elsewhere.
func (p *peer) stopWithin(d time.Duration) {
	if p.ended.Swap(true) {
		return
	}
	p.hold.Store(false)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), d)
	defer cancel()
	if err := p.Close(ctx); err != nil && (ctx.Err() == nil || !errors.Is(err, api.ErrTimeout)) {
		p.t.Errorf("Close: %v", err)
	}
	p.quit()
	p.work.Wait()
	if err := p.store.Close(); err != nil {
		p.t.Errorf("Close of the session: %v", err)
	}
}

func (p *peer) submit(steps string) *engine.Handle {
	p.t.Helper()
	spec, err := api.ParseSpec([]byte(`{"runnel":1,"steps":` + steps + `}`))
	if err != nil {
		p.t.Fatal(err)
	}
	h, err := p.Engine().Submit(p.t.Context(), spec, "")
	if err != nil {
		p.t.Fatal(err)
	}
	return h
}

// handle gives the handle of a run that another process may have.
func (p *peer) handle(id string) *engine.Handle {
	p.t.Helper()
	h, err := p.Engine().Find(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return h
}

func (p *peer) waits(h *engine.Handle, want string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Hour)
	defer cancel()
	out, err := p.Wait(ctx, h)
	if err != nil || out.State != api.Completed || string(out.Result) != want {
		p.t.Errorf("run %s: %s %s %v %v, want %s", h.ID(), out.State, out.Result, out.Failure, err, want)
	}
}

func askSignature(task string) *pipeline.Signature {
	if task == "ask" {
		return &pipeline.Signature{Name: task, Result: "any", Check: func(int, []byte) error { return nil }}
	}
	return signature(task)
}

var peerTasks = []string{"add", "ask", "boom", "count", "cross", "dbl", "flaky", "flow", "fresh", "kept", "limited", "list", "mend", "rated", "sum"}

const wide = `[{"task":"list","args":[20]},{"each":{"steps":[{"task":"dbl"}]}},{"task":"sum"}]`

// Submitted by one process, waited for by another, in each way that the first can
// end.
func TestRunGoesOnElsewhere(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(a *peer)
	}{
		{"its process is closed", func(a *peer) { a.stop() }},
		{"its process stands still", func(a *peer) { a.store.freeze() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.Open()
				a, b := join(t, s, "a", signature), join(t, s, "b", signature)
				a.hold.Store(true)
				h := a.submit(wide)
				synctest.Wait()
				if a.begun.Load() != 1 || b.begun.Load() != 0 {
					t.Fatalf("%d and %d bodies have begun, want 1 and 0", a.begun.Load(), b.begun.Load())
				}
				got := make(chan string, 1)
				other := b.handle(h.ID())
				go func() {
					out, err := b.Wait(t.Context(), other)
					got <- fmt.Sprint(out.State, string(out.Result), err)
				}()
				synctest.Wait()
				c.end(a)
				if end := <-got; end != fmt.Sprint(api.Completed, "380", nil) {
					t.Errorf("who waits elsewhere gets %s", end)
				}
				if a.store.gate != nil {
					a.store.thaw()
				}
			})
		})
	}
}

// A process that stood still for longer than its lease changes nothing when it
// wakes, begins again, and who waits there gets the result that another made.
func TestWakesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", signature), join(t, s, "b", signature)
		a.hold.Store(true)
		h := a.submit(wide)
		synctest.Wait()
		before := a.Engine()
		got := make(chan engine.Outcome, 1)
		go func() {
			out, err := a.Wait(t.Context(), h)
			if err != nil {
				t.Error(err)
			}
			got <- out
		}()
		a.store.freeze()
		b.waits(b.handle(h.ID()), "380")
		a.store.thaw()
		out := <-got
		if out.State != api.Completed || string(out.Result) != "380" {
			t.Errorf("who waited all the time gets %s %s", out.State, out.Result)
		}
		synctest.Wait() // the body hears of it in a goroutine of its own
		if a.told.Load() != 1 {
			t.Errorf("%d bodies were told to end, want the 1 that ran", a.told.Load())
		}
		after := a.Engine()
		if after == before {
			t.Fatal("the engine is the one whose session was given up")
		}
		counts := func(p *peer) string {
			run, err := p.Engine().Status(t.Context(), h.ID())
			if err != nil {
				t.Fatal(err)
			}
			data, _ := json.Marshal(run.Tasks)
			return string(data)
		}
		if x, y := counts(a), counts(b); x != y || !strings.Contains(x, `"completed":20`) {
			t.Errorf("the counts are %s and %s", x, y)
		}
		a.hold.Store(false)
		a.waits(a.submit(wide), "380")
	})
}

func TestControlElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", signature), join(t, s, "b", signature)
		a.hold.Store(true)
		h := a.submit(`[{"task":"dbl","args":[1]},{"task":"dbl"}]`)
		synctest.Wait()
		ctx := t.Context()
		if err := b.Engine().Pause(ctx, h.ID()); err != nil {
			t.Fatal("Pause:", err)
		}
		a.hold.Store(false)
		<-time.After(time.Minute)
		run, err := b.Engine().Status(ctx, h.ID())
		if err != nil || run.State != api.Paused || run.Tasks["dbl"].Completed != 1 {
			t.Fatalf("after Pause: %+v, %v", run, err)
		}
		a.hold.Store(true)
		if err := b.Engine().Resume(ctx, h.ID()); err != nil {
			t.Fatal("Resume:", err)
		}
		synctest.Wait()
		if err := b.Engine().Cancel(ctx, h.ID()); err != nil {
			t.Fatal("Cancel:", err)
		}
		out, err := b.Wait(ctx, b.handle(h.ID()))
		if err != nil || out.State != api.Cancelled {
			t.Errorf("after Cancel: %s, %v", out.State, err)
		}
		if err := b.Engine().Pause(ctx, h.ID()); !errors.Is(err, api.ErrConflict) {
			t.Errorf("Pause of what has ended: %v, want ErrConflict", err)
		}
	})
}

func TestAnswerElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", askSignature), join(t, s, "b", askSignature)
		h := a.submit(`[{"task":"ask"},{"task":"dbl"}]`)
		var lines []string
		followed := make(chan error, 1)
		go func() {
			for line, err := range b.Engine().FollowLogs(t.Context(), api.LogFilter{Run: h.ID()}) {
				if err != nil {
					followed <- err
					return
				}
				lines = append(lines, line.Text)
			}
			followed <- nil
		}()
		<-time.After(time.Minute)
		if len(lines) != 2 {
			t.Fatalf("followed elsewhere: %q", lines)
		}
		token := strings.TrimPrefix(lines[0], "token ")
		if !strings.HasPrefix(lines[0], "token ") {
			token = strings.TrimPrefix(lines[1], "token ")
		}
		if err := b.Engine().Complete(t.Context(), token, []byte("4")); err != nil {
			t.Fatal("Complete:", err)
		}
		b.waits(b.handle(h.ID()), "8")
		if err := <-followed; err != nil || len(lines) != 3 {
			t.Errorf("followed to the end: %q, %v", lines, err)
		}
		if err := b.Engine().Complete(t.Context(), token, []byte("5")); !errors.Is(err, api.ErrConflict) {
			t.Errorf("a second answer: %v, want ErrConflict", err)
		}
	})
}

// A run goes to a process that knows its tasks.
func TestStrangeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		strange := func(task string) *pipeline.Signature {
			if task == "ask" {
				return nil
			}
			return signature(task)
		}
		a, b := join(t, s, "a", askSignature), join(t, s, "b", strange)
		h := a.submit(`[{"task":"ask"}]`)
		<-time.After(time.Second)
		a.stop()
		<-time.After(time.Minute)
		_, err := b.Engine().Find(t.Context(), h.ID())
		if !errors.Is(err, api.ErrUnknownTask) {
			t.Errorf("a run whose task is not registered: %v, want ErrUnknownTask", err)
		}
		c := join(t, s, "c", askSignature)
		if err := c.Engine().Cancel(t.Context(), h.ID()); err != nil {
			t.Errorf("Cancel by who knows its task: %v", err)
		}
	})
}
