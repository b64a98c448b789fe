package engine

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/internal/cluster"
)

// A worker that comes over HTTP knows one server. What other processes have for it, that
// server borrows on its behalf. Nobody is sent what nobody waits for: who has something
// says so, and who waits asks.
//
//	lender                                          server of the worker
//	  something that nobody does here
//	  ── jobs.far.have: true ─────────────────────►   a worker waits
//	  ◄──────────────────────────── jobs.far.want ──
//	  ── jobs.lend ───────────────────────────────►   the worker gets it
//	  that was all
//	  ── jobs.far.have: false ────────────────────►

// farKept is for how long a job lies that no worker has come for: another one of theirs
// may be about to. Then it goes back.
const farKept = time.Second

// keyOf names what a worker can do: those that can do the same have one reach.
func (o *offer) keyOf() string {
	text, _ := json.Marshal([2][]string{o.Queues, o.Tasks}) //nolint:errchkjson // words
	h := fnv.New64a()
	_, _ = h.Write(text) // it can't fail
	return strconv.FormatUint(h.Sum64(), 36)
}

// reaches gives what workers that come over HTTP to this process can do, each once.
func (r *Remotes) reaches() []*offer {
	if r == nil || !r.on.Load() {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	found := make(map[string]*offer)
	for _, o := range r.workers {
		found[o.Key] = &offer{Key: o.Key, Queues: o.Queues, Tasks: o.Tasks}
	}
	list := make([]*offer, 0, len(found))
	for _, key := range slices.Sorted(maps.Keys(found)) {
		list = append(list, found[key])
	}
	return list
}

// reaches gives what workers that come over HTTP to other processes can do.
func (p *peers) reaches() []*offer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.far
}

// The lender.

// farWanted notes what the workers of a session would take.
func (e *Engine) farWanted(q *cluster.Request) {
	var want map[string]int
	if q.Decode(&want) != nil {
		return
	}
	e.lending.mu.Lock()
	e.lending.farWant[q.From] = want
	e.lending.mu.Unlock()
	e.lendSoon()
}

// lendFar lends what is wanted for workers that come over HTTP to others, and tells
// these whether there is something; false if there is nothing.
func (e *Engine) lendFar() (again bool) {
	has := make(map[int64]bool)
	for _, o := range e.peers.reaches() {
		if n := e.lending.farWants(o); n > 0 {
			e.lend(o, n, false)
		}
		has[o.session] = has[o.session] || e.dispatch.hasAway(o.serves)
	}
	for session, some := range has {
		e.tellFar(session, some)
		again = again || some
	}
	return again
}

// farWants takes note that what is wanted for a reach is about to be given, and gives
// how many.
func (l *lending) farWants(o *offer) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	want := l.farWant[o.session]
	n := want[o.Key]
	delete(want, o.Key)
	return n
}

// tellFar tells a session whether there is something for its workers, if it does not
// know that.
func (e *Engine) tellFar(session int64, has bool) {
	l, now := &e.lending, e.now()
	l.mu.Lock()
	told, knows := l.farTold[session]
	news := !knows || now.Sub(told) >= tellAgain
	switch {
	case !has:
		news = knows
		delete(l.farTold, session)
	case news:
		l.farTold[session] = now
	}
	l.mu.Unlock()
	if news {
		_ = e.peers.node.Tell(session, jobsFarHave, has) // it can be encoded
	}
}

// The server of the workers.

// toldOfFar hears whether another process has something for workers here.
func (e *Engine) toldOfFar(q *cluster.Request) {
	var has bool
	if q.Decode(&has) != nil {
		return
	}
	b := &e.borrowing
	b.mu.Lock()
	if has {
		b.far[q.From] = true
	} else {
		delete(b.far, q.From)
	}
	b.mu.Unlock()
	if has {
		e.wantFar()
	}
}

// wantFar tells those who have something for workers here how many of these wait.
func (e *Engine) wantFar() {
	b := &e.borrowing
	b.mu.Lock()
	lenders := slices.Collect(maps.Keys(b.far))
	b.mu.Unlock()
	if len(lenders) == 0 {
		return
	}
	want := e.dispatch.farPlaces()
	for key, n := range want {
		want[key] = max(1, n/len(lenders))
	}
	for _, session := range lenders {
		if len(want) > 0 {
			_ = e.peers.node.Tell(session, jobsFarWant, want) // it can be encoded
		}
	}
}

// farPlaces counts the places of the workers that wait.
func (d *dispatcher) farPlaces() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := make(map[string]int)
	for _, c := range d.far {
		n[c.offer.Key] += c.places
	}
	return n
}

// layFar puts borrowed jobs where workers that come over HTTP find them. What none of
// them comes for goes back.
func (e *Engine) layFar(jobs []*borrowed) {
	if len(jobs) == 0 {
		return
	}
	d := &e.dispatch
	d.mu.Lock()
	closed := d.closed
	if !closed {
		d.farLaid = append(d.farLaid, jobs...)
		d.rouseFor(jobs)
	}
	d.mu.Unlock()
	if closed {
		e.giveBack(jobs)
		return
	}
	e.timers.after(e.now().Add(farKept), func() {
		e.giveBack(d.unlayFar(func(x *borrowed) bool { return slices.Contains(jobs, x) }))
	})
}

// rouseFor tells those that one of some jobs is for. Called with mu.
func (d *dispatcher) rouseFor(jobs []*borrowed) {
	d.far = slices.DeleteFunc(d.far, func(c *farClaim) bool {
		if !slices.ContainsFunc(jobs, c.offer.takes) {
			return false
		}
		close(c.told)
		return true
	})
}

// takes reports whether a borrowed job was asked for by one that can do the same.
func (o *offer) takes(x *borrowed) bool { return o.Key == x.far }

// popFar takes the first job that lies for a worker, nil if none does.
func (d *dispatcher) popFar(o *offer) *borrowed {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.farLaid, o.takes)
	if i < 0 {
		return nil
	}
	x := d.farLaid[i]
	d.farLaid = slices.Delete(d.farLaid, i, i+1)
	return x
}

// unlayFar takes back those of the jobs that lie which one chooses.
func (d *dispatcher) unlayFar(which func(*borrowed) bool) (list []*borrowed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.farLaid = slices.DeleteFunc(d.farLaid, func(x *borrowed) bool {
		if which(x) {
			list = append(list, x)
			return true
		}
		return false
	})
	return list
}
