package engine

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// Config is what an engine is made of.
type Config struct {
	Store    store.Store
	Registry pipeline.Registry
	Logger   *slog.Logger     // default: discards
	Now      func() time.Time // default: time.Now
	Random   func() uint64    // default: math/rand
	// Grace is how long a body whose context was cancelled may take to return
	// before the engine goes on without it. Default: 5 s.
	Grace time.Duration
	// Retention is for how long runs that have ended are kept; 0 or less: for
	// ever.
	Retention time.Duration
	// Told is told how a task run ended, once that is durable, if its task's
	// signature says so: without locks, once, and not of what was durable when the
	// engine was made. It must not block. Default: nobody is.
	Told func(job *api.Job, run api.TaskRun)
	// Trace gives what is kept with a run that is asked for as its trace, "" for
	// none, and what to call once the run is durable or refused, nil for nothing.
	// Default: no run has one.
	Trace func(ctx context.Context, name string) (trace string, done func(error))
	// Spans is told what has ended durably, in all runs. Nil: nobody is.
	Spans Spans
	// Queues are those whose tasks are given out; nil: all.
	Queues []string
	// Places is how many bodies run here at a time, and Tasks what they can be: what
	// other engines on a shared store may lend.
	Places int
	Tasks  []string
	// Version is what other processes are told that Runnel's is here.
	Version string
	// Beat is how often the lease of a session is renewed, if the store is shared.
	// Default: 2.5 s.
	Beat time.Duration
	// Remotes are the workers that are not of this process; nil: there are none.
	Remotes *Remotes
	// Manual starts no goroutine: somebody drives the steps.
	Manual bool

	vitals *vitals // of the seat; nil: the engine has none
}

// Engine runs pipelines. Make one with New.
type Engine struct {
	store    store.Store
	registry pipeline.Registry
	log      *slog.Logger
	now      func() time.Time
	random   func() uint64
	grace    time.Duration
	told     func(*api.Job, api.TaskRun)
	tracing  func(context.Context, string) (string, func(error))
	spans    Spans
	manual   bool

	keys      keyring
	queue     queue      // changes to commit
	commits   commitLog  // committed changes to advance
	dispatch  dispatcher // what can start
	timers    timers
	keyed     keyedState
	limits    limitState
	slots     slotState
	cache     cacheState
	schedules schedules
	sweep     sweep
	closers   closers
	shapes    shapes
	retention retention
	numbers   numbers
	workers   workerNames
	lending   lending
	borrowing borrowing
	peers     peers
	remotes   *Remotes          // nil: there can be none
	local     pipeline.Registry // what this process knows, if there can be some
	keeper    keeper
	// submitting are the keys under which somebody submits.
	submitting keyTurns
	changes    changeState
	vitals     *vitals
	watch      watch
	// offered is what this process can do, since when.
	offered offer
	stops   struct {
		mu   sync.Mutex
		read time.Time // when the records of queues were
	}
	since time.Time

	mu      sync.Mutex
	runs    map[int64]*run
	closed  bool
	claimed atomic.Int64 // jobs given out and not finished
	// stopping: bodies were cancelled since Close may wait no longer. If they fail
	// it is for that, and they run again.
	stopping atomic.Bool

	committer, loops sync.WaitGroup
	idle             *sync.Cond // on mu: the last job was finished, while closing
}

// New recovers the live runs of the store and goes on with them.
func New(ctx context.Context, cfg Config) (_ *Engine, err error) {
	e := &Engine{
		store: cfg.Store, registry: cfg.Registry, remotes: cfg.Remotes, log: cfg.Logger, now: cfg.Now,
		random: cfg.Random, grace: cfg.Grace, told: cfg.Told, manual: cfg.Manual, tracing: cfg.Trace, spans: cfg.Spans,
		runs: make(map[int64]*run), vitals: cfg.vitals,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.random == nil {
		e.random = rand.Uint64
	}
	if e.grace == 0 {
		e.grace = 5 * time.Second
	}
	if e.vitals == nil {
		e.vitals = newVitals(e.now())
	}
	e.initWatch()
	e.idle = sync.NewCond(&e.mu)
	e.keys.store = cfg.Store
	e.queue.init()
	e.commits.init()
	e.commits.unbounded = e.manual
	e.timers.init()
	e.closers.init()
	e.retention.init(cfg.Retention, e.now())
	e.keyed.init("id")
	e.limits.init()
	e.limits.table.Measure(e.micros)
	e.slots.init()
	e.cache.init()
	e.schedules.init(e)
	last, err := e.store.LastRun(ctx)
	if err != nil {
		return nil, err
	}
	e.numbers.next = last + 1
	if cfg.Beat == 0 {
		cfg.Beat = 2500 * time.Millisecond
	}
	e.initDispatch(&cfg)
	e.initOffer(&cfg)
	e.initPeers(&cfg)
	e.initChanges()
	e.initFacts()
	defer func() {
		if err != nil && e.peers.node != nil {
			e.peers.node.Close()
		}
	}()
	if err := e.initRemotes(ctx, &cfg); err != nil {
		return nil, err
	}
	if err := cmp.Or(e.loadWorkers(ctx), e.loadLimits(ctx)); err != nil {
		return nil, err
	}
	if e.peers.node == nil {
		if err := e.loadSlots(ctx); err != nil {
			return nil, err
		}
	}
	if err := e.findRuns(ctx); err != nil {
		return nil, err
	}
	if err := e.loadSchedules(ctx); err != nil {
		return nil, err
	}
	if !e.manual {
		e.loops.Go(e.scheduleLoop)
		e.committer.Go(e.commitLoop)
		e.loops.Go(e.advanceLoop)
		e.loops.Go(e.timerLoop)
		e.loops.Go(e.expireLoop)
	}
	return e, nil
}

// initDispatch says what is served here.
func (e *Engine) initDispatch(cfg *Config) {
	_, open := cfg.Store.(store.Shared)
	e.dispatch.init(cfg.Queues, open, e.served)
	if e.dispatch.idles() {
		cfg.Places = 0
	}
	e.lending.places = cfg.Places
}

// findRuns brings back the runs that nobody has.
func (e *Engine) findRuns(ctx context.Context) error {
	if err := e.readQueues(ctx); err != nil { // before anything of them can begin
		return err
	}
	if e.peers.node == nil {
		return e.recover(ctx)
	}
	if err := e.peers.node.Start(ctx); err != nil {
		return err
	}
	e.wakeAdopt()
	if err := e.adoptStep(ctx, false); err != nil {
		return err
	}
	if !e.manual {
		e.loops.Go(e.adoptLoop)
		e.loops.Go(e.lendLoop)
		e.loops.Go(e.keepLoop)
	}
	return nil
}

// Close gives out no more jobs, waits for the bodies that run until ctx ends,
// commits what they answered, and stops. Bodies that run then are cancelled; the
// next engine on the same store runs them again. The store stays open.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	stop := context.AfterFunc(ctx, func() {
		e.mu.Lock()
		e.idle.Broadcast()
		e.mu.Unlock()
	})
	e.mu.Unlock()
	if e.peers.node != nil {
		e.loops.Go(e.letGo) // a change of a limit may take its time
	}
	e.dispatch.close()
	e.giveBack(e.dispatch.unlay())
	e.giveBack(e.dispatch.unlayFar(func(*borrowed) bool { return true }))
	e.closeFlows()
	e.endBorrowed(func(x *borrowed) bool { return x.flow != nil }, api.ErrClosed)
	e.closeSlots(false)
	e.mu.Lock()
	for e.inHand() > 0 && ctx.Err() == nil && !e.manual {
		e.idle.Wait()
	}
	left := e.inHand()
	e.mu.Unlock()
	stop()
	e.cancelBodies()
	e.endBorrowed(func(*borrowed) bool { return true }, api.ErrClosed)
	e.closeSlots(true)
	e.closeLevels(ctx)
	if e.peers.node != nil {
		e.peers.node.Close()
	}
	e.closers.stop()
	e.timers.close()
	e.queue.close()
	e.committer.Wait()
	e.commits.close()
	e.loops.Wait()
	e.abandonWaiters()
	if left > 0 && !e.manual {
		return api.Errorf(api.ErrTimeout, "", "closed with %d bodies still running; they will run again", left)
	}
	return nil
}

// inHand counts jobs given out and not finished.
func (e *Engine) inHand() int64 { return e.claimed.Load() + e.borrowing.running.Load() }

// cancelBodies ends the contexts of the bodies that still run.
func (e *Engine) cancelBodies() {
	e.stopping.Store(true)
	for _, r := range e.liveRuns() {
		r.mu.Lock()
		for t := range r.live.going() {
			if t.cancel != nil {
				t.cancel(api.ErrClosed)
			}
		}
		r.mu.Unlock()
	}
}

// abandonWaiters tells those who wait for a run that this engine won't end it.
func (e *Engine) abandonWaiters() {
	for _, r := range e.liveRuns() {
		r.handle.abandon()
	}
}

func (e *Engine) liveRuns() []*run {
	e.mu.Lock()
	defer e.mu.Unlock()
	runs := make([]*run, 0, len(e.runs))
	for _, r := range e.runs {
		runs = append(runs, r)
	}
	return runs
}

func (e *Engine) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

func (e *Engine) micros() int64 { return e.now().UnixMicro() }
