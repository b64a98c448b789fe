package slot_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/internal/slot"
)

// member is a naive session: what its bodies hold and wait for.
type member struct {
	asks map[int64]*slot.Ask
	last int64
}

func (m *member) all() (list []slot.Ask) {
	for _, n := range slices.Sorted(maps.Keys(m.asks)) {
		list = append(list, *m.asks[n])
	}
	return list
}

// office is several sessions, and who keeps their table.
type office struct {
	t       *testing.T
	limits  map[string]int
	table   *slot.Table
	kept    *slot.Kept
	members map[int64]*member
	clock   time.Time
}

const keeper = -1 // of the table, which has no claims of its own here

func (o *office) replace() {
	o.table = slot.New()
	for name, n := range o.limits {
		o.table.Set(name, slot.Def{Limit: n}, o.clock)
	}
	o.kept = slot.Keep(o.table, keeper)
}

// grant has a session hear of a claim.
func (o *office) grant(c *slot.Claim) {
	p := c.Task.(slot.Party)
	m := o.members[p.Session]
	if m == nil || m.asks[p.Number] == nil {
		o.t.Fatalf("session %d is told of %d, which it does not want", p.Session, p.Number)
	}
	if !o.kept.Settled() && !m.asks[p.Number].Held {
		o.t.Fatal("granted before all had stated what they hold")
	}
	m.asks[p.Number].Held = true
}

func (o *office) follow(change slot.Change) {
	for _, c := range change.Granted {
		o.grant(c)
	}
	for _, x := range change.Refused {
		if x.Verdict != slot.Stuck {
			o.t.Fatalf("refused: %d", x.Verdict)
		}
		p := x.Claim.Task.(slot.Party)
		delete(o.members[p.Session].asks, p.Number)
		o.kept.Over(x.Claim)
	}
	taken := make(map[string]int)
	for _, m := range o.members {
		for _, a := range m.asks {
			if a.Held {
				for _, name := range a.Names {
					taken[name] += a.Slots
				}
			}
		}
	}
	for name, n := range taken {
		if limit, limited := o.limits[name]; limited && n > limit {
			o.t.Fatalf("%d slots of %s are held, there are %d", n, name, limit)
		}
	}
}

func (o *office) ask(s int64, a *slot.Ask) {
	c, verdict, _, change := o.kept.Ask(s, a, o.clock)
	switch verdict {
	case slot.Granted:
		o.grant(c)
	case slot.Waits:
	case slot.Stuck:
		delete(o.members[s].asks, a.Number)
		o.kept.Over(c)
	default:
		o.t.Fatalf("refused: %d", verdict)
	}
	o.follow(change)
}

func (o *office) state(s int64) {
	all := o.members[s].all()
	o.follow(o.kept.Stated(s, all, o.clock))
	slices.SortStableFunc(all, func(a, b slot.Ask) int { // what is held first
		switch {
		case a.Held == b.Held:
			return 0
		case a.Held:
			return -1
		}
		return 1
	})
	for i := range all {
		if m := o.members[s].asks[all[i].Number]; m != nil {
			o.ask(s, &all[i])
		}
	}
}

func (o *office) settle() {
	live := slices.Sorted(maps.Keys(o.members))
	for _, s := range live {
		o.state(s)
	}
	o.follow(o.kept.Live(live, o.clock))
}

// one has a body of a session ask, or leave.
func (o *office) one(r *rand.Rand, s int64, m *member) {
	if numbers := slices.Sorted(maps.Keys(m.asks)); len(numbers) > 0 && r.IntN(2) == 0 {
		n := numbers[r.IntN(len(numbers))]
		delete(m.asks, n)
		o.follow(o.kept.Leave(s, []int64{n}, o.clock))
		return
	}
	m.last++
	o.clock = o.clock.Add(time.Second)
	a := &slot.Ask{
		Number: m.last, Owner: r.Int64N(3) + 1, Slots: 1 + r.IntN(2), Since: o.clock.UnixMicro(),
		Names: [][]string{{"a"}, {"b"}, {"a", "b"}, {"b", "c"}, {"c", "free"}}[r.IntN(5)],
	}
	m.asks[m.last] = a
	o.ask(s, a)
}

// Sessions come, go and ask while who keeps their table is replaced: never more than
// there are have slots, and in the end everybody has had his.
func TestKeptForSessions(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			o := &office{t: t, limits: map[string]int{"a": 2, "b": 3, "c": 4}, members: make(map[int64]*member), clock: time.Unix(1e9, 0)}
			o.replace()
			joined := int64(0)
			for range 200 {
				live := slices.Sorted(maps.Keys(o.members))
				switch n := r.IntN(20); {
				case n == 0 && len(live) < 4:
					joined++
					o.members[joined] = &member{asks: make(map[int64]*slot.Ask)}
					o.state(joined)
				case n == 1 && len(live) > 1:
					s := live[r.IntN(len(live))]
					delete(o.members, s)
					o.follow(o.kept.Gone(s, o.clock))
				case n == 2:
					o.replace()
				case n == 3 && len(live) > 0: // one more states, the others may have yet to
					o.state(live[r.IntN(len(live))])
					o.follow(o.kept.Live(live, o.clock))
				case n < 5:
					o.settle()
				case len(live) > 0:
					s := live[r.IntN(len(live))]
					o.one(r, s, o.members[s])
				}
			}
			o.settle()
			o.drain()
		})
	}
}

// drain has all who hold slots leave, until nobody is left.
func (o *office) drain() {
	for {
		left, gone := 0, 0
		for _, s := range slices.Sorted(maps.Keys(o.members)) {
			m := o.members[s]
			left += len(m.asks)
			for _, n := range slices.Sorted(maps.Keys(m.asks)) {
				if a := m.asks[n]; a != nil && a.Held && !o.waits(m, a.Owner) {
					gone++
					delete(m.asks, n)
					o.follow(o.kept.Leave(s, []int64{n}, o.clock))
				}
			}
		}
		switch {
		case left == 0 && len(o.table.Claims())+o.kept.Bodies() > 0:
			o.t.Fatal("something is left in the table")
		case left == 0:
			return
		case gone == 0:
			o.t.Fatalf("%d wait for ever", left)
		}
	}
}

// waits reports whether a body waits: then it gives nothing back.
func (o *office) waits(m *member, owner int64) bool {
	for _, a := range m.asks {
		if a.Owner == owner && !a.Held {
			return true
		}
	}
	return false
}
