package flight_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/runnel-dev/runnel/internal/flight"
)

// model is the same, said simply: who has begun, who has a turn, who waits in
// which order, and which runs are parked.
type model struct {
	line   map[string][]*flight.Claim // the first has the turn
	parked map[int64]bool
	began  map[*flight.Claim]bool
	asked  map[*flight.Claim]int // when it asked first, since it left
	last   int
}

// join puts c into its line: behind who has the turn, before who asked later.
func (m *model) join(c *flight.Claim) {
	if m.asked[c] == 0 {
		m.last++
		m.asked[c] = m.last
	}
	line := m.line[c.Key]
	i := min(1, len(line))
	for i < len(line) && m.asked[line[i]] < m.asked[c] {
		i++
	}
	m.line[c.Key] = slices.Insert(slices.Clone(line), i, c)
}

// owner gives whose turn it is, nil for nobody's.
func (m *model) owner(key string) *flight.Claim {
	if len(m.line[key]) == 0 {
		return nil
	}
	return m.line[key][0]
}

// take removes c and says who comes next.
func (m *model) take(c *flight.Claim, value bool) (woken []*flight.Claim) {
	line := m.line[c.Key]
	i := slices.Index(line, c)
	if i < 0 {
		return nil
	}
	delete(m.began, c)
	m.line[c.Key] = slices.Delete(slices.Clone(line), i, i+1)
	if i > 0 || len(m.line[c.Key]) == 0 {
		return nil
	}
	if value {
		woken, m.line[c.Key] = m.line[c.Key], nil
		return woken
	}
	return m.line[c.Key][:1:1]
}

func TestAgainstTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := flight.New()
		m := &model{line: map[string][]*flight.Claim{}, parked: map[int64]bool{}, began: map[*flight.Claim]bool{}, asked: map[*flight.Claim]int{}}
		var claims []*flight.Claim
		for i := range 12 {
			claims = append(claims, &flight.Claim{Key: string(rune('a' + i%3)), Owner: int64(i%4) + 1})
		}
		some := func(t *rapid.T) *flight.Claim { return rapid.SampledFrom(claims).Draw(t, "claim") }
		same := func(t *rapid.T, what string, got, want []*flight.Claim) {
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				c := some(t)
				known := slices.Contains(m.line[c.Key], c)
				want := flight.Waits
				switch {
				case !known && m.parked[c.Owner]:
					want = flight.Parked
				case !known:
					m.join(c)
				}
				if m.owner(c.Key) == c {
					want = flight.Granted
				}
				if got := table.Ask(c); got != want {
					t.Fatalf("asked, and told %d, want %d", got, want)
				}
			},
			"begin": func(t *rapid.T) {
				c := some(t)
				want := m.owner(c.Key) == c
				if got := table.Begin(c); got != want {
					t.Fatalf("Begin gave %t, want %t", got, want)
				}
				if want {
					m.began[c] = true
				}
			},
			"leave": func(t *rapid.T) {
				c, value := some(t), rapid.Bool().Draw(t, "value")
				same(t, "woken", table.Leave(c, value), m.take(c, value))
				delete(m.asked, c)
			},
			"park": func(t *rapid.T) {
				owner := rapid.Int64Range(1, 4).Draw(t, "run")
				parked := rapid.Bool().Draw(t, "parked")
				woken, back := table.Park(owner, parked)
				m.parked[owner] = parked
				if !parked {
					same(t, "woken", woken, nil)
					same(t, "back", back, nil)
					return
				}
				waited, turns := 0, 0
				for _, c := range claims {
					switch {
					case c.Owner != owner || m.began[c]:
					case m.owner(c.Key) == c:
						turns++
					case slices.Contains(m.line[c.Key], c):
						waited++
						if !slices.Contains(back, c) {
							t.Fatalf("%v waited and is not given back", c)
						}
						m.take(c, false)
					}
				}
				next := 0
				for _, c := range claims {
					if c.Owner == owner && !m.began[c] && m.owner(c.Key) == c {
						next += len(m.take(c, false))
					}
				}
				if len(back) != waited || len(woken) != next {
					t.Fatalf("%d come back and %d are woken, want %d and %d", len(back), len(woken), waited, next)
				}
			},
			"": func(t *rapid.T) {
				for _, c := range claims {
					place := max(slices.Index(m.line[c.Key], c), 0)
					holder := m.owner(c.Key)
					if place == 0 { // it does not wait
						holder = nil
					}
					before, at := table.Waits(c)
					if at != place || before != holder || c.Turn() != (m.owner(c.Key) == c) {
						t.Fatalf("place %d, turn %t; want %d, %t", at, c.Turn(), place, m.owner(c.Key) == c)
					}
				}
			},
		})
		for _, c := range claims {
			table.Leave(c, true)
		}
		if !table.Empty() {
			t.Fatal("something is left")
		}
	})
}

// Two began before a crash, be it that one of them took over from the other: each
// leaves in peace, and nobody else has a turn before the one that holds it left.
func TestHeld(t *testing.T) {
	table := flight.New()
	a, b, c := &flight.Claim{Key: "k"}, &flight.Claim{Key: "k"}, &flight.Claim{Key: "k"}
	table.Hold(a)
	table.Hold(b)
	if got := table.Ask(c); got != flight.Waits {
		t.Errorf("asked, and told %d, want to wait", got)
	}
	if woken := table.Leave(b, false); len(woken) != 0 {
		t.Errorf("%d are woken, want none", len(woken))
	}
	if woken := table.Leave(a, false); len(woken) != 1 || woken[0] != c {
		t.Errorf("%v are woken, want the one that waits", woken)
	}
}
