package limit_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/runnel-dev/runnel/internal/limit"
)

// plain is the stupid model: lists, searched from end to end.
type plain struct {
	limits map[string]int
	active map[string][]int // claims by number
	parked map[int64]bool
	state  []string // of each claim
	order  []int    // claims with a ticket, the oldest first
	tags   [][]string
	owner  []int64
}

func (m *plain) needs(c int) (tags []string) {
	for _, tag := range m.tags[c] {
		if _, ok := m.limits[tag]; ok {
			tags = append(tags, tag)
		}
	}
	return tags
}

func (m *plain) zero(c int) bool {
	return slices.ContainsFunc(m.needs(c), func(tag string) bool { return m.limits[tag] == 0 })
}

// fits: all are free, and nobody older who is not passed over wants one of them.
func (m *plain) fits(c int) bool {
	for _, tag := range m.needs(c) {
		if len(m.active[tag]) >= m.limits[tag] {
			return false
		}
		for _, older := range m.order[:slices.Index(m.order, c)] {
			if m.state[older] == "waiting" && !m.parked[m.owner[older]] && slices.Contains(m.tags[older], tag) {
				return false
			}
		}
	}
	return true
}

func (m *plain) take(c int) {
	for _, tag := range m.needs(c) {
		m.active[tag] = append(m.active[tag], c)
	}
}

func (m *plain) drop(c int) {
	for tag := range m.active {
		m.active[tag] = slices.DeleteFunc(m.active[tag], func(other int) bool { return other == c })
	}
	m.state[c] = "idle"
}

func (m *plain) forget(c int) {
	m.drop(c)
	m.order = slices.DeleteFunc(m.order, func(other int) bool { return other == c })
}

func (m *plain) ask(c int) limit.Verdict {
	switch m.state[c] {
	case "granted", "begun":
		m.state[c] = "begun"
		return limit.Granted
	case "waiting":
		return limit.Waits
	}
	if m.zero(c) {
		m.forget(c)
		return limit.Aborted
	}
	if !slices.Contains(m.order, c) {
		m.order = append(m.order, c)
	}
	if m.fits(c) {
		m.take(c)
		m.state[c] = "begun"
		return limit.Granted
	}
	m.state[c] = "waiting"
	return limit.Waits
}

// settle tries everybody until nothing changes.
func (m *plain) settle() (granted, aborted []int) {
	for again := true; again; {
		again = false
		for _, c := range slices.Clone(m.order) {
			switch {
			case m.state[c] != "waiting" || m.parked[m.owner[c]]:
			case m.zero(c):
				m.forget(c)
				aborted, again = append(aborted, c), true
			case m.fits(c):
				m.take(c)
				m.state[c] = "granted"
				granted, again = append(granted, c), true
			}
		}
	}
	slices.Sort(granted)
	slices.Sort(aborted)
	return granted, aborted
}

func (m *plain) revoke(tag string, n int) {
	for _, c := range slices.Backward(slices.Clone(m.order)) {
		if m.state[c] == "granted" && slices.Contains(m.tags[c], tag) && (n == 0 || len(m.active[tag]) > n) {
			m.drop(c)
		}
	}
}

// pair is the table and the model, told the same.
type pair struct {
	*rapid.T
	table  *limit.Table
	model  plain
	claims []*limit.Claim
}

var tags = []string{"a", "b", "c", "d"}

func (p *pair) tag() string { return rapid.SampledFrom(tags).Draw(p.T, "tag") }

func (p *pair) number() int {
	return rapid.IntRange(0, len(p.claims)-1).Draw(p.T, "claim")
}

// newPair has claims with all sorts of tags, of three runs.
func newPair(t *rapid.T) *pair {
	p := &pair{T: t, table: limit.New(), model: plain{
		limits: map[string]int{}, active: map[string][]int{}, parked: map[int64]bool{},
	}}
	for i := range 12 {
		own := rapid.SliceOfNDistinct(rapid.SampledFrom(tags), 1, 3, rapid.ID).Draw(t, "tags")
		p.claims = append(p.claims, &limit.Claim{ID: fmt.Sprint(i), Owner: int64(i % 3), Tags: own, Task: i})
		p.model.state = append(p.model.state, "idle")
		p.model.tags, p.model.owner = append(p.model.tags, own), append(p.model.owner, int64(i%3))
	}
	return p
}

// same holds what a call says to the model, and what is there afterwards.
func (p *pair) same(got limit.Change) {
	p.Helper()
	granted, aborted := p.model.settle()
	if g, a := numbers(got.Granted), numbers(got.Aborted); !slices.Equal(g, granted) || !slices.Equal(a, aborted) {
		p.Fatalf("granted %v and aborted %v, want %v and %v", g, a, granted, aborted)
	}
	for _, tag := range tags {
		want := slices.Sorted(slices.Values(p.model.active[tag]))
		if got := numbers(p.table.Holders(tag)); !slices.Equal(got, want) {
			p.Fatalf("%s is held by %v, want %v", tag, got, want)
		}
		var waits []int
		for c, state := range p.model.state {
			if state == "waiting" && slices.Contains(p.model.tags[c], tag) {
				waits = append(waits, c)
			}
		}
		if got := numbers(p.table.Waiting(tag)); !slices.Equal(got, waits) {
			p.Fatalf("%v wait for %s, want %v", got, tag, waits)
		}
	}
}

func numbers(claims []*limit.Claim) (list []int) {
	for _, c := range claims {
		list = append(list, c.Task.(int))
	}
	slices.Sort(list)
	return list
}

func (p *pair) ask() {
	c := p.number()
	want := p.model.ask(c)
	if got := p.table.Ask(p.claims[c]); got != want {
		p.Fatalf("claim %d with %v asks and is told %d, want %d", c, p.model.tags[c], got, want)
	}
	p.same(limit.Change{})
}

func (p *pair) leave() {
	c := p.number()
	p.model.forget(c)
	p.same(p.table.Leave(p.claims[c]))
}

func (p *pair) hold() {
	c := p.number()
	if p.model.state[c] != "idle" || slices.Contains(p.model.order, c) {
		return
	}
	p.model.order = append(p.model.order, c)
	p.model.take(c)
	p.model.state[c] = "begun"
	p.table.Hold(p.claims[c])
	p.same(limit.Change{})
}

func (p *pair) set() { p.setTo(p.tag(), rapid.IntRange(0, 3).Draw(p.T, "limit")) }

func (p *pair) setTo(tag string, n int) {
	if _, known := p.model.limits[tag]; !known {
		p.model.revoke(tag, 0)
	}
	p.model.limits[tag] = n
	p.model.revoke(tag, n)
	p.same(p.table.Set(tag, n))
}

func (p *pair) delete() {
	tag := p.tag()
	delete(p.model.limits, tag)
	delete(p.model.active, tag)
	p.same(p.table.Delete(tag))
}

func (p *pair) reset() {
	tag := p.tag()
	if _, known := p.model.limits[tag]; known {
		p.model.revoke(tag, 0)
		delete(p.model.active, tag)
	}
	p.same(p.table.Reset(tag))
}

func (p *pair) park(owner int64, parked bool) {
	if parked && !p.model.parked[owner] {
		for c := range p.model.state {
			if p.model.state[c] == "granted" && p.model.owner[c] == owner {
				p.model.drop(c)
			}
		}
	}
	p.model.parked[owner] = parked
	p.same(p.table.Park(owner, parked))
}

// TestTable does the same things at random to the table and to the model. In the
// end everybody who waits gets a turn, and nothing is left.
func TestTable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPair(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"ask": func(*rapid.T) { p.ask() }, "ask again": func(*rapid.T) { p.ask() }, "ask once more": func(*rapid.T) { p.ask() },
			"leave": func(*rapid.T) { p.leave() }, "leave again": func(*rapid.T) { p.leave() },
			"hold": func(*rapid.T) { p.hold() }, "set": func(*rapid.T) { p.set() },
			"delete": func(*rapid.T) { p.delete() }, "reset": func(*rapid.T) { p.reset() },
			"park": func(*rapid.T) {
				p.park(rapid.Int64Range(0, 2).Draw(p.T, "owner"), rapid.Bool().Draw(p.T, "parked"))
			},
		})
		p.T = rt
		for owner := range int64(3) {
			p.park(owner, false)
		}
		for _, tag := range tags {
			p.setTo(tag, 1)
		}
		for range 2 * len(p.claims) { // each round somebody ends, so everybody has a turn
			for c := range p.claims {
				if state := p.model.state[c]; state == "granted" || state == "begun" {
					p.model.forget(c)
					p.same(p.table.Leave(p.claims[c]))
					break
				}
			}
		}
		for _, tag := range tags {
			if held, waits := p.table.Holders(tag), p.table.Waiting(tag); len(held)+len(waits) > 0 {
				rt.Fatalf("%s is left with %v and %v", tag, numbers(held), numbers(waits))
			}
		}
	})
}
