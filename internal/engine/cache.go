package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flight"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// cacheState says who runs under which cache key. The entries are stored; who
// runs is not: after a crash nobody does, and who starts again asks again.
//
// A task takes its turn after that of its task id and before the slots of its
// tags, and a body that runs waits for nothing of these, so they can't deadlock.
// A run that is paused gives back the turns of those of its tasks that have not
// begun.
type cacheState struct {
	turns
	claims map[*task]*flight.Claim // of who has asked and not left
}

func (s *cacheState) init() {
	s.turns.init("cache")
	s.claims = make(map[*task]*flight.Claim)
}

// Cached asks the cache about a job before its body. See worker.Source.
func (e *Engine) Cached(job *api.Job, use api.CacheUse) (run bool) {
	t := job.Key.(*task)
	defer func() {
		if !run {
			e.returned(t)
		}
	}()
	hit := e.lookUp(t, use.Key)
	if !t.asks(job, use, hit) {
		return false
	}
	if use.Key != "" && t.call.Alone {
		if !e.takeTurn(t, job) {
			return false
		}
		// Who had the turn before may have left a value since.
		if hit = e.lookUp(t, use.Key); hit != nil && !t.asks(job, use, hit) {
			return false
		}
	}
	return e.takeSlotsLate(t, job)
}

// asks takes note of a job's key, and ends the task if there is a value for it,
// if it is cancelled or if the key is too long; false if the body is not to run.
func (t *task) asks(job *api.Job, use api.CacheUse, hit *cacheHit) bool {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	if t.phase != claimed || job != t.job {
		return false
	}
	switch {
	case t.cause != nil || !t.shielded():
		t.ended(t.override(api.Answer{}), pipeline.Value{})
		return false
	case len(use.Key) > api.MaxCacheKey:
		err := api.Errorf(api.ErrInvalid, "", "task %q: the cache key has %d bytes; at most %d are allowed", job.Task, len(use.Key), api.MaxCacheKey)
		t.ended(api.Answer{NoRetry: true, Failure: systemFailure(err)}, pipeline.Value{})
		return false
	case use.Key == "":
		t.cached.key, t.cell.Put().Cache = "", nil
		return true
	case hit != nil:
		use.From = hit.entry.TaskRun
		t.cached.saved = time.Duration(hit.entry.Took)
		t.cell.Put().Name, t.cell.Begun, t.cell.Started = lifecycle.Cached, 0, 0
	}
	t.cached.key = use.Key
	t.cell.Put().Cache, _ = json.Marshal(use) //nolint:errchkjson // strings always encode
	if hit != nil {
		t.ended(api.Answer{}, hit.value)
		return false
	}
	return true
}

// takeTurn reports whether t may run under its key now; if not it has its turn
// later.
func (e *Engine) takeTurn(t *task, job *api.Job) bool {
	r := t.run
	r.mu.Lock()
	if t.phase != claimed || job != t.job {
		r.mu.Unlock()
		return false
	}
	verdict := e.askTurn(t)
	over := verdict != flight.Granted && !t.unclaim()
	r.mu.Unlock()
	if over {
		return false
	}
	switch verdict {
	case flight.Granted:
		return true
	case flight.Parked:
		e.dispatch.push(r, t)
	case flight.Waits:
	}
	return false
}

// askTurn asks for the turn of t. One that has it not any more gives its slots back
// first: as soon as it has asked another worker may come with it, and ask for others.
// Called with run.mu.
func (e *Engine) askTurn(t *task) flight.Verdict {
	if t.tagged && !e.asked(t) {
		e.leaveSlots(t)
	}
	s := &e.cache
	s.mu.Lock()
	defer s.mu.Unlock()
	verdict := s.table.Ask(e.claimTurn(t))
	s.said(e)
	return verdict
}

// claimTurn gives what t asks with. Called with cache.mu held.
func (e *Engine) claimTurn(t *task) *flight.Claim {
	s := &e.cache
	c := s.claims[t]
	if c != nil && c.Key != t.cached.key { // it lost its turn, and has another key now
		s.table.Leave(c, false)
		c = nil
	}
	if c == nil {
		c = &flight.Claim{ID: t.first.ID, Key: t.cached.key, Owner: t.run.id, Task: t, Since: s.since(e)}
		s.claims[t] = c
	}
	return c
}

// takeSlotsLate is for a task that was claimed to ask the cache: now it needs
// the slots of its tags.
func (e *Engine) takeSlotsLate(t *task, job *api.Job) bool {
	r := t.run
	if t.tagged {
		r.mu.Lock()
		same := t.phase == claimed && job == t.job && t.unclaim()
		r.mu.Unlock()
		if !same || !e.takeSlots(t) {
			return false
		}
	}
	r.mu.Lock()
	again := t.phase == ready && t.tagged && t.shielded()
	if again {
		t.given()
		t.phase = claimed
		t.begins()
	}
	here := t.phase == claimed && job == t.job
	r.mu.Unlock()
	switch {
	case !here: // it was cancelled meanwhile
		e.leaveSlots(t)
		e.leaveTurn(t, false)
		return false
	case t.cached.key != "" && t.call.Alone && !e.cache.begin(t, true): // its run was paused meanwhile
		r.mu.Lock()
		back := t.phase == claimed && job == t.job && t.unclaim()
		r.mu.Unlock()
		if back {
			e.leaveSlots(t)
			e.dispatch.push(r, t)
		}
		return false
	}
	return true
}

// unclaim takes back that t was given to a worker; false if t was told to end
// meanwhile: since nobody tells it again, it does so here. Called with run.mu.
func (t *task) unclaim() bool {
	if t.cause != nil {
		t.ended(t.override(api.Answer{}), pipeline.Value{})
		return false
	}
	if t.cell.Started == t.cell.Begun {
		t.cell.Started = 0
	}
	t.phase, t.cell.Begun = ready, 0
	t.takenBack()
	return true
}

// begin reports whether t has its turn, and uses it. Either it has looked for a value
// since it has the turn, or it goes by what is known: that the one before it left
// none, and was of this process.
func (s *cacheState) begin(t *task, looked bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.claims[t]
	if c == nil || !looked && !c.Knows || !s.table.Begin(c) {
		return false
	}
	c.Knows = true
	return true
}

// asked reports whether t has its turn under its key, or needs none: then the
// slots of its tags are what it needs next.
func (e *Engine) asked(t *task) bool {
	if !t.call.Cached {
		return true
	}
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	c := e.cache.claims[t]
	return c != nil && c.Turn()
}

// leaveTurn gives back the turn of t, or its place in the line. With a value all
// who wait may take that.
func (e *Engine) leaveTurn(t *task, value bool) {
	if !t.call.Alone {
		return
	}
	s := &e.cache
	s.mu.Lock()
	var woken []*flight.Claim
	if c := s.claims[t]; c != nil {
		delete(s.claims, t)
		woken = s.table.Leave(c, value)
		s.said(e)
	}
	s.mu.Unlock()
	e.wake(&s.turns, woken)
}

// freeTurn has the turn of t given back once c is durable, unless it waits for
// an answer from outside.
func (t *task) freeTurn(c *change) {
	if !t.call.Alone || t.phase == waiting {
		return
	}
	e, x := t.run.e, t.cached
	key, value, live := x.key, x.large, x.kept
	x.large, x.kept = pipeline.Value{}, false
	c.first(func() {
		if value.Blob == 0 {
			e.leaveTurn(t, live)
			return
		}
		e.beside(func() {
			e.keepLarge(t, key, value)
			e.leaveTurn(t, true)
		})
	})
}

// beside does something that takes long without holding up others.
func (e *Engine) beside(do func()) {
	if e.manual {
		do()
		return
	}
	e.closers.begin(do)
}

// holdTurn gives t, which waits for an answer from outside since before a crash,
// the turn it had.
func (e *Engine) holdTurn(t *task) {
	if t.holdKey(); !t.call.Alone || t.cached.key == "" {
		return
	}
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	e.cache.table.Hold(e.claimTurn(t))
	e.cache.said(e)
}

// holdKey reads the key that the row of t says it had.
func (t *task) holdKey() {
	var use api.CacheUse
	if t.cached != nil && json.Unmarshal(t.cell.Seldom().Cache, &use) == nil {
		t.cached.key = use.Key
	}
}

// parkTurns takes their turns from the tasks of a run that have not begun, or
// lets them ask again.
func (e *Engine) parkTurns(r *run, parked bool) {
	e.cache.mu.Lock()
	woken, back := e.cache.table.Park(r.id, parked)
	e.cache.said(e)
	e.cache.mu.Unlock()
	e.wake(&e.cache.turns, back)
	e.wake(&e.cache.turns, woken)
}

// dropTurns gives back what a run that stands still has no use for. Bodies that
// run give theirs back when they end.
func (e *Engine) dropTurns(r *run) {
	e.cache.mu.Lock()
	claims := e.cache.table.Of(r.id)
	e.cache.mu.Unlock()
	for _, c := range claims {
		t := c.Task.(*task)
		r.mu.Lock()
		runs := t.phase == claimed
		r.mu.Unlock()
		if !runs {
			e.leaveTurn(t, false)
		}
	}
}

// Turns counts who runs under a cache key or waits for that, and those under task
// ids as one, for who drives the engine by hand.
func (e *Engine) Turns() (n int) {
	e.keyed.mu.Lock()
	if !e.keyed.table.Empty() {
		n++
	}
	e.keyed.mu.Unlock()
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	return n + len(e.cache.claims)
}

// flowFacts fills in which flow a cached task was called by.
func (t *task) flowFacts() {
	for f := t.frame; f != nil; f = f.Parent {
		if cl, ok := f.Origin.(*call); ok {
			above := cl.fl.t.job
			c := &api.Caller{TaskRun: above.ID}
			if above.Input != nil {
				c.Args = append(c.Args, above.Input)
			}
			c.Args = append(c.Args, above.Bound...)
			t.job.Caller = c
			return
		}
	}
}

// keepResult writes what a task completed with into the cache, as part of change c.
// What is large is written beside, once the change is durable.
func (t *task) keepResult(c *change, value pipeline.Value) {
	if t.cached == nil || t.cached.key == "" {
		return
	}
	if t.cell.Seldom().Name == lifecycle.Cached { // it is there, also for who waits
		t.cached.kept = true
		return
	}
	if t.call.NoResult {
		value = pipeline.Value{}
	}
	e := t.run.e
	switch key := t.cached.key; {
	case t.call.Options.CacheExpiration < 0: // nobody would ever take it
	case value.Blob == 0:
		c.Records = append(c.Records, e.entryWrites(t, key, payload(value))...)
		t.cached.kept = true
	case t.call.Alone: // when it gives back its turn
		t.cached.large = value
	default:
		c.then(func() { e.beside(func() { e.keepLarge(t, key, value) }) })
	}
}

// keepLarge copies a large result, so that the entry has its own, and writes the
// entry.
func (e *Engine) keepLarge(t *task, key string, value pipeline.Value) {
	blob, err := e.copyBlob(e.closers.ctx, store.Blob{ID: value.Blob, Size: value.Size}, 0)
	if err == nil {
		err = e.store.PutRecords(e.closers.ctx, e.entryWrites(t, key, store.Payload{Blob: blob})...)
	}
	if err != nil && e.closers.ctx.Err() == nil {
		e.log.Warn("a large result is not in the cache", "task", t.call.Name, "task_run", t.first.ID, "error", err)
	}
}

func (e *Engine) copyBlob(ctx context.Context, from store.Blob, run int64) (store.Blob, error) {
	r, err := e.store.OpenBlob(ctx, from)
	if err != nil {
		return store.Blob{}, err
	}
	to, err := e.store.PutBlob(ctx, run, r)
	if closed := r.Close(); err == nil {
		err = closed
	}
	return to, err
}
