package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Options choose what a simulation does.
type Options struct {
	Seed uint64
	// Runs, if set, are run without any fault outside bodies.
	Runs  []*api.Spec
	Store store.Store // an empty one; nil: one in memory
}

// world is one simulation.
type world struct {
	ctx, gone context.Context //nolint:containedctx // lives for one simulation; gone is over, for calls that must not block
	rng       *rand.Rand
	now       time.Time
	store     *faulty
	e         *engine.Engine
	bodies    *worker.Registry
	life      int  // engines so far
	calm      bool // no more faults
	faults    faults
	runs      []*simRun
	removed   []*simRun // since they ended long ago
	jobs      []*held
	flows     []*coroutine      // bodies of flows in progress
	flowing   *coroutine        // the one that is started
	rounds    map[string]string // the attempts of flows, by run and key
	saw       map[string]string // by flows, for when they run again
	pending   []*held           // bodies of this life that asked for a token
	tokens    map[string]*token
	limits    map[string]simLimit
	schedules map[string]*simSchedule
	adopted   map[int64]bool // runs of schedules that were seen
	slots     slotBooks
	served    []string // queues, in this life; nil: all
	late      bool     // some calls begin later
	flights   []flight
	keeping   []flight        // of bodies with a cache key
	begun     map[attempt]int // the life in which an attempt was begun last
	steps     []string
	counts    map[string]int
	err       error // what was found
}

// simRun is a run with all that is known of it.
type simRun struct {
	spec    *api.Spec
	id      string
	number  int64
	handle  *engine.Handle
	life    int // in which it was submitted
	stored  bool
	last    store.RunRow
	naive   *naive
	tree    *node
	keys    map[string]map[string]int64 // by signature and identity, in this generation: the last row
	sigs    map[int64]string
	paused  bool // by the simulation, in this life
	cancel  bool // in this life
	cancels bool // durably, once
	retries int
	asked   *again // a retry that is not durable, of this life
	fuzzy   bool
	trigger bool // it was triggered, of a schedule
	kills   bool // it has kill switches
	trips   map[int64]*trip
}

// held is a body that has run, whose answer is still to be given.
type held struct {
	run    *simRun
	job    *api.Job
	script *script
	answer api.Answer
	begun  time.Time
	key    int64
	ran    bool // it has an answer
	co     *coroutine
	told   time.Time // when it was told to end
}

// attempt names one of a body.
type attempt struct {
	run, key     int64
	gen, attempt int
}

// token is one that was given out.
type token struct {
	text     string
	run      *simRun
	job      *held
	accepted int // the life in which an answer to it was accepted
}

// Simulate runs one seed and reports what broke, with what was done until then.
func Simulate(ctx context.Context, o Options) (log []string, counts map[string]int, err error) {
	gone, stop := context.WithCancel(ctx)
	stop()
	w := &world{
		ctx: ctx, gone: gone, rng: rand.New(rand.NewPCG(o.Seed, 1)),
		now: epoch, late: o.Seed%3 == 0,
		store: newFaulty(o.Store), tokens: map[string]*token{},
		limits: map[string]simLimit{}, slots: newSlotBooks(), begun: map[attempt]int{}, counts: map[string]int{},
	}
	w.rounds, w.saw = map[string]string{}, map[string]string{}
	w.schedules, w.adopted = map[string]*simSchedule{}, map[int64]bool{}
	w.bodies = registry(w)
	w.bodies.Log = slog.New(slog.DiscardHandler)
	w.bodies.Now = func() time.Time { return w.now }
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		log, counts = w.steps, w.counts
	}()
	w.open()
	if o.Runs != nil {
		w.calm = true
		for range 3 {
			w.limit()
		}
		for _, spec := range o.Runs {
			w.submit(spec)
		}
	} else {
		w.storm()
	}
	w.settle()
	w.outlive()
	return w.steps, w.counts, w.err
}

// open starts an engine on the store as it is.
func (w *world) open() {
	w.life++
	w.dropFlows()
	w.findTokens()
	w.land()
	w.slots.crashed()
	w.jobs, w.pending, w.keeping, w.store.next, w.store.tired = nil, nil, nil, none, 0
	w.serve()
	e, err := engine.New(w.ctx, engine.Config{
		Queues: w.served,
		Store:  w.store, Registry: signatures, Manual: true, Random: w.rng.Uint64, Retention: retention,
		Now: func() time.Time { return w.now }, Logger: slog.New(&alarm{w}),
	})
	if err != nil {
		w.broken("open: %v", err)
		return
	}
	w.e = e
	runs := w.runs[:0]
	for _, r := range w.runs {
		r.paused, r.cancel = false, false
		if w.see(r); !r.stored {
			continue // it was never durable
		}
		r.asked = nil
		runs = append(runs, r)
		r.handle, err = e.Find(w.ctx, r.id)
		if err != nil {
			w.broken("run %d is lost: %v", r.number, err)
		}
	}
	w.runs = runs
	w.findScheduled()
}

// storm does random steps with faults.
func (w *world) storm() {
	w.faults = faults{
		fail: w.rng.IntN(5) > 0, failFast: w.rng.IntN(3) == 0, slow: w.rng.IntN(2) == 0,
		pend: w.rng.IntN(2) == 0, pause: w.rng.IntN(2) == 0, big: w.rng.IntN(4) == 0,
		shared: w.rng.IntN(4) == 0, flows: w.rng.IntN(2) == 0, tags: w.rng.IntN(2) == 0, zero: w.rng.IntN(6) == 0,
		caches: w.rng.IntN(3) == 0,
		times:  w.rng.IntN(3) == 0,
		slots:  w.rng.IntN(3) == 0,
		queues: w.rng.IntN(3) == 0,
		late:   w.late,
	}
	total, crashes, acts, ages := 60+w.rng.IntN(300), w.rng.IntN(3) > 0, w.rng.IntN(2) == 0, w.rng.IntN(4) == 0
	for range 3 {
		if w.faults.slots {
			w.globalLimit()
		}
	}
	runs := 1 + w.rng.IntN(4)
	for i := 0; i < total && w.err == nil; i++ {
		if runs > 0 && (i == 0 || w.rng.IntN(20) == 0) {
			runs--
			w.submit(newGenerator(w.rng, w.faults).pipeline(w.rng.IntN(5)))
			continue
		}
		w.guard(func() { w.step(crashes, acts, ages) })
		w.check()
	}
}

// guard does a step, in which the engine may crash.
func (w *world) guard(step func()) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		c, ok := v.(crash)
		if !ok {
			panic(v)
		}
		w.did("crash %s", map[fault]string{crashBefore: "before a commit", crashAfter: "after a commit"}[c.at])
		w.open()
	}()
	step()
}

// step does one thing at random.
func (w *world) step(crashes, acts, ages bool) {
	n := w.rng.IntN(100)
	switch {
	case n < 3 && crashes:
		w.store.next = []fault{crashBefore, crashAfter, crashAfter}[w.rng.IntN(3)]
	case n < 5:
		w.store.next = []fault{retryLater, refuseMany, refuseMany}[w.rng.IntN(3)]
	case n < 6 && crashes:
		w.did("crash")
		w.open()
	case n == 6 && crashes && w.rng.IntN(2) == 0:
		w.restart()
	case n < 12 && acts:
		w.act()
	case n < 14:
		w.tick()
	case n == 50 && ages:
		w.age()
	case n == 51 && ages:
		w.expire(false)
	case n >= 53 && n < 55 && w.faults.slots:
		w.globalLimit()
	case n < 16 && w.faults.tags:
		w.limit()
	case n == 52 && w.faults.caches:
		w.forgetCache()
	case n > 95 && w.faults.times:
		w.schedule()
	case n < 20:
		w.answerToken()
	case n < 23:
		w.answerAgain()
	default:
		w.work()
	}
}

// work does one thing that brings runs forward, and reports whether there was
// one.
func (w *world) work() bool {
	first := w.rng.IntN(7)
	for i := range 14 { // twice round: a claim may queue a change and give nothing
		var did bool
		switch (first + i) % 7 {
		case 0:
			did = w.commit()
		case 1:
			did = w.e.AdvanceStep()
			w.did2(did, "advance")
		case 2:
			did = w.e.CloseStep()
			w.did2(did, "close")
		case 3:
			did = w.claim()
		case 4:
			did = w.deliver()
		case 5:
			did = w.goOn()
		case 6:
			did = w.e.ScheduleStep()
			w.did2(did, "look at a schedule")
			w.findScheduled()
		}
		if did {
			return true
		}
	}
	return false
}

func (w *world) commit() bool {
	did := w.e.CommitStep()
	w.did2(did, "commit")
	w.findTokens()
	w.findScheduled()
	for _, r := range w.runs {
		w.see(r)
	}
	return did
}

func (w *world) submit(spec *api.Spec) {
	h, err := w.e.Submit(w.gone, spec, "")
	if err != nil && !errors.Is(err, context.Canceled) || h == nil {
		w.broken("submit: %v: %s", err, encode(spec))
		return
	}
	number, err := numberOf(h.ID())
	if err != nil {
		w.broken("%v", err)
		return
	}
	r := &simRun{spec: spec, id: h.ID(), number: number, handle: h, life: w.life, fuzzy: w.faults.zero}
	r.foretell(0)
	w.runs = append(w.runs, r)
	w.did("submit run %d: %s", r.number, encode(spec))
}

// restart closes the engine and opens another.
func (w *world) restart() {
	w.did("restart")
	if err := w.e.Close(w.ctx); err != nil {
		w.broken("close: %v", err)
	}
	for w.e.CommitStep() || w.e.AdvanceStep() {
		w.store.next = none
	}
	w.open()
}

func (w *world) did(format string, args ...any) {
	if len(w.steps) < 100_000 {
		w.steps = append(w.steps, fmt.Sprintf(format, args...))
	}
	w.counts["steps"]++
}

func (w *world) did2(did bool, what string) {
	if did {
		w.did("%s", what)
	}
}

// broken notes what was found; the first counts.
func (w *world) broken(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
		w.did("BROKEN: %v", w.err)
	}
}

// alarm is a logger: what the engine takes for an error is one.
type alarm struct{ w *world }

// Enabled wants warnings and errors.
func (a *alarm) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle raises the alarm.
func (a *alarm) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(at slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", at.Key, at.Value)
		return true
	})
	if r.Level >= slog.LevelError || r.Message == "run left alone" {
		a.w.broken("the engine says: %s", text)
	}
	a.w.did("engine: %s", text)
	return nil
}

// WithAttrs is not used.
func (a *alarm) WithAttrs([]slog.Attr) slog.Handler { return a }

// WithGroup is not used.
func (a *alarm) WithGroup(string) slog.Handler { return a }
