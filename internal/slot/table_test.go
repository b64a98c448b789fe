package slot_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/runnel-dev/runnel/internal/slot"
)

var names = []string{"a", "b", "c"}

// pair is the table and the model, told the same.
type pair struct {
	*rapid.T
	table  *slot.Table
	model  plain
	owners []*slot.Owner
	live   map[int]*slot.Claim // by number
	wakes  map[string]time.Time
	seen   map[string]int // how often what happened, over all
}

func newPair(t *rapid.T, seen map[string]int) *pair {
	p := &pair{
		T: t, table: slot.New(), live: map[int]*slot.Claim{}, wakes: map[string]time.Time{}, seen: seen,
		model: plain{limits: map[string]*level{}, now: time.Unix(1e9, 0)},
	}
	for i := range 5 {
		p.owners = append(p.owners, &slot.Owner{Task: i})
	}
	return p
}

func (p *pair) name() string { return rapid.SampledFrom(names).Draw(p.T, "name") }

// same holds what a call says to the model, and what is there afterwards.
func (p *pair) same(got slot.Change, granted, refused []int) {
	p.Helper()
	for _, w := range got.Wakes {
		p.wakes[w.Name] = w.At
	}
	var g, r []int
	for _, c := range got.Granted {
		g = append(g, c.Task.(int))
		p.seen["granted later"]++
	}
	for _, x := range got.Refused {
		r = append(r, x.Claim.Task.(int))
		p.seen["refused later"]++
	}
	for _, list := range [][]int{g, r, granted, refused} {
		slices.Sort(list)
	}
	if !slices.Equal(g, granted) || !slices.Equal(r, refused) {
		p.Fatalf("granted %v and refused %v, want %v and %v", g, r, granted, refused)
	}
	for _, name := range names {
		if got, want := p.table.Used(name, p.model.now), p.model.used(name); got != want {
			p.Fatalf("%d slots of %s are used, want %d", got, name, want)
		}
		var holders, waiting []int
		for _, a := range p.model.claims {
			if slices.Contains(a.counts, name) {
				holders = append(holders, a.number)
			}
			if a.waits && slices.Contains(p.model.active(a.names), name) {
				waiting = append(waiting, a.number)
			}
		}
		if got := numbers(p.table.Holders(name)); !slices.Equal(got, holders) {
			p.Fatalf("%s is held by %v, want %v", name, got, holders)
		}
		if got := numbers(p.table.Waiting(name)); !slices.Equal(got, waiting) {
			p.Fatalf("%v wait for %s, want %v", got, name, waiting)
		}
	}
}

func numbers(claims []*slot.Claim) (list []int) {
	for _, c := range claims {
		list = append(list, c.Task.(int))
	}
	return list
}

func (p *pair) ask() { p.askFor(1, 3, rapid.IntRange(0, 2).Draw(p.T, "rate") == 0) }

// askFor asks for slots of at most so many limits.
func (p *pair) askFor(least, most int, rate bool) {
	p.model.number++
	a := &ask{
		number: p.model.number, owner: rapid.IntRange(0, len(p.owners)-1).Draw(p.T, "owner"),
		names: rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, most, rapid.ID).Draw(p.T, "names"),
		slots: rapid.IntRange(least, 3).Draw(p.T, "slots"), rate: rate,
	}
	c := &slot.Claim{Owner: p.owners[a.owner], Names: a.names, Slots: a.slots, Rate: a.rate, Task: a.number}
	want := p.model.ask(a)
	got, _, change := p.table.Ask(c, p.model.now)
	p.seen[[]string{"granted", "waits", "too many", "no decay", "stuck"}[got]]++
	if got != want {
		p.Fatalf("owner %d asks for %d of %v (rate: %t) and is told %d, want %d", a.owner, a.slots, a.names, a.rate, got, want)
	}
	if got <= slot.Waits {
		p.live[a.number] = c
	}
	p.same(change, nil, nil)
}

// leave gives something back, or waits no more.
func (p *pair) leave() {
	if len(p.live) == 0 {
		return
	}
	number := rapid.SampledFrom(slices.Sorted(maps.Keys(p.live))).Draw(p.T, "claim")
	for _, a := range p.model.claims {
		if a.number == number {
			p.model.remove(a)
			break
		}
	}
	change := p.table.Leave(p.live[number], p.model.now)
	delete(p.live, number)
	p.same(change, p.model.settle(), nil)
}

func (p *pair) end(owner int) {
	for _, a := range slices.Clone(p.model.claims) {
		if a.owner == owner {
			p.model.remove(a)
		}
	}
	_, _, change := p.table.End(p.owners[owner], p.model.now)
	p.same(change, p.model.settle(), nil)
}

func (p *pair) set() {
	name, def := p.name(), slot.Def{
		Limit:    rapid.IntRange(0, 7).Draw(p.T, "limit"),
		Per:      rapid.SampledFrom([]time.Duration{0, time.Second, 4 * time.Second}).Draw(p.T, "per"),
		Inactive: rapid.IntRange(0, 4).Draw(p.T, "inactive") == 0,
	}
	granted, refused := p.model.set(name, def)
	p.same(p.table.Set(name, def, p.model.now), granted, refused)
}

func (p *pair) delete() {
	name := p.name()
	p.model.reset(name)
	delete(p.model.limits, name)
	p.same(p.table.Delete(name, p.model.now), p.model.settle(), nil)
}

func (p *pair) reset() {
	name := p.name()
	p.model.reset(name)
	p.same(p.table.Reset(name, p.model.now), p.model.settle(), nil)
}

// pass lets time pass, and says so only when the table wanted to be told.
func (p *pair) pass(steps int) {
	for range steps {
		p.model.now = p.model.now.Add(250 * time.Millisecond)
		granted := p.model.settle()
		var change slot.Change
		for again := true; again; {
			again = false
			for _, name := range names {
				if at := p.wakes[name]; !at.IsZero() && !at.After(p.model.now) {
					delete(p.wakes, name)
					more := p.table.Due(name, p.model.now)
					for _, w := range more.Wakes {
						p.wakes[w.Name] = w.At
					}
					change.Granted = append(change.Granted, more.Granted...)
					p.seen["woken"]++
					again = true
				}
			}
		}
		p.same(change, granted, nil)
	}
}

// TestTable does the same things at random to the table and to the model. In the
// end everybody who waits gets a turn, and nothing is left.
func TestTable(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		p := newPair(rt, seen)
		p.T = rt
		for range 3 {
			p.set()
		}
		rt.Repeat(map[string]func(*rapid.T){
			"ask": func(*rapid.T) { p.ask() }, "ask again": func(*rapid.T) { p.ask() }, "ask once more": func(*rapid.T) { p.ask() },
			"rate": func(*rapid.T) { p.askFor(2, 1, true) }, "rate again": func(*rapid.T) { p.askFor(2, 1, true) },
			"leave": func(*rapid.T) { p.leave() }, "leave again": func(*rapid.T) { p.leave() },
			"end": func(*rapid.T) { p.end(rapid.IntRange(0, len(p.owners)-1).Draw(rt, "owner")) },
			"set": func(*rapid.T) { p.set() }, "delete": func(*rapid.T) { p.delete() }, "reset": func(*rapid.T) { p.reset() },
			"pass": func(*rapid.T) { p.pass(rapid.IntRange(1, 8).Draw(rt, "steps")) },
		})
		p.drain()
	})
	for _, what := range []string{"granted", "waits", "too many", "no decay", "stuck", "granted later", "woken"} {
		if seen[what] == 0 {
			t.Errorf("never happened: %s", what)
		}
	}
	t.Log(seen)
}

// drain ends everybody who does not wait, and lets time pass, until all have had
// their turns and nothing is left.
func (p *pair) drain() {
	for range 400 {
		for owner := range p.owners {
			if c, _ := p.table.Wait(p.owners[owner]); c == nil {
				p.end(owner)
			}
		}
		p.pass(1)
	}
	for _, a := range p.model.claims {
		p.Fatalf("waits for ever: %+v", *a)
	}
	for _, name := range names {
		if n := p.table.Used(name, p.model.now); n > 0 {
			p.Fatalf("%d slots of %s are left", n, name)
		}
	}
}
