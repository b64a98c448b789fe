package limit

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// member is a naive session: what it has and waits for.
type member struct {
	asks map[int64]*Ask
	last int64
}

func (m *member) all() (list []Ask) {
	for _, n := range slices.Sorted(maps.Keys(m.asks)) {
		list = append(list, *m.asks[n])
	}
	return list
}

// world is several sessions and who keeps their table.
type world struct {
	t       *testing.T
	limits  map[string]int
	kept    *Kept
	members map[int64]*member
	clock   int64
}

func (w *world) replace() {
	table := New()
	for tag, n := range w.limits {
		table.Set(tag, n)
	}
	w.kept = Keep(table)
}

func (w *world) hear(told []Told) {
	for _, x := range told {
		m := w.members[x.Session]
		if m == nil || m.asks[x.Number] == nil {
			w.t.Fatalf("session %d is told of %d, which it does not want", x.Session, x.Number)
		}
		if x.Verdict != Granted {
			w.t.Fatalf("told %v, no limit is 0", x.Verdict)
		}
		if !w.kept.Settled() {
			w.t.Fatal("granted before all had stated what they have")
		}
		m.asks[x.Number].Held = true
	}
	taken := make(map[string]int)
	for _, m := range w.members {
		for _, a := range m.asks {
			if a.Held {
				for _, tag := range a.Tags {
					taken[tag]++
				}
			}
		}
	}
	for tag, n := range taken {
		if limit, limited := w.limits[tag]; limited && n > limit {
			w.t.Fatalf("%d have tag %s, the limit is %d", n, tag, limit)
		}
	}
	if w.kept.Settled() {
		w.oldest(taken)
	}
}

// oldest checks that of those who wait the one that asked first has nothing free.
func (w *world) oldest(taken map[string]int) {
	var first *Ask
	for _, m := range w.members {
		for _, a := range m.asks {
			if !a.Held && (first == nil || a.Since < first.Since) {
				first = a
			}
		}
	}
	if first == nil {
		return
	}
	for _, tag := range first.Tags {
		if limit, limited := w.limits[tag]; limited && taken[tag] >= limit {
			return
		}
	}
	w.t.Fatalf("the oldest, of %v, waits though all is free: %v", first.Tags, taken)
}

func (w *world) settle() {
	for _, s := range slices.Sorted(maps.Keys(w.members)) {
		w.hear(w.kept.State(s, w.members[s].all()))
	}
	w.hear(w.kept.Live(slices.Sorted(maps.Keys(w.members))))
}

// Sessions come, go and ask while who keeps their table is replaced: never more
// than the limit have slots, and the oldest is never passed over.
func TestKeptForSessions(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := &world{t: t, limits: map[string]int{"a": 1, "b": 2, "c": 3}, members: make(map[int64]*member)}
		w.replace()
		joined := int64(0)
		for range 200 {
			switch n := r.IntN(20); {
			case n == 0 && len(w.members) < 4:
				joined++
				w.members[joined] = &member{asks: make(map[int64]*Ask)}
				w.hear(w.kept.State(joined, nil))
			case n == 1 && len(w.members) > 1:
				s := slices.Sorted(maps.Keys(w.members))[r.IntN(len(w.members))]
				delete(w.members, s)
				w.hear(w.kept.Gone(s))
			case n == 2:
				w.replace()
			case n == 3 && len(w.members) > 0: // one more states, the others may have yet to
				all := slices.Sorted(maps.Keys(w.members))
				s := all[r.IntN(len(all))]
				w.hear(w.kept.State(s, w.members[s].all()))
				w.hear(w.kept.Live(all))
			case n < 5:
				w.settle()
			case len(w.members) > 0:
				s := slices.Sorted(maps.Keys(w.members))[r.IntN(len(w.members))]
				w.one(r, s, w.members[s])
			}
		}
		w.settle()
		for s, m := range w.members {
			for n := range m.asks {
				delete(m.asks, n)
				w.hear(w.kept.Leave(s, n))
			}
		}
		for _, tag := range []string{"a", "b", "c"} {
			if left := len(w.kept.table.Holders(tag)) + len(w.kept.table.Waiting(tag)); left > 0 {
				t.Fatalf("seed %d: %d are left of tag %s", seed, left, tag)
			}
		}
	}
}

// one has a session ask or leave; if it has not been heard yet by who keeps the
// table, what it says may be lost.
func (w *world) one(r *rand.Rand, s int64, m *member) {
	if numbers := slices.Sorted(maps.Keys(m.asks)); len(numbers) > 0 && r.IntN(2) == 0 {
		n := numbers[r.IntN(len(numbers))]
		delete(m.asks, n)
		w.hear(w.kept.Leave(s, n))
		return
	}
	m.last++
	w.clock++
	tags := [][]string{{"a"}, {"b"}, {"a", "b"}, {"b", "c"}, {"c", "free"}}[r.IntN(5)]
	a := &Ask{Number: m.last, Owner: s, Tags: tags, Since: w.clock}
	m.asks[m.last] = a
	w.hear(w.kept.Ask(s, a))
}
