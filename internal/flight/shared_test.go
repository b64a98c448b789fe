package flight_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/runnel-dev/runnel/internal/flight"
)

// process is a session: its table, and who of it has asked and not left.
type process struct {
	*flight.Table
	leader int64 // whom it asks, and hears
	claims map[*flight.Claim]bool
	left   bool // it has let go, and never leads again
}

type letter struct {
	from, to int64
	all      bool // asks is all
	said     flight.Said
	told     []flight.Told
}

// shop is several sessions, and the letters between them.
type shop struct {
	t       *testing.T
	r       *rand.Rand
	live    map[int64]*process
	leader  int64
	last    int64
	clock   int64
	letters []letter
	value   map[string]byte // under each key, as who had the turn last has left it
}

func (s *shop) some() (int64, *process) {
	all := slices.Sorted(maps.Keys(s.live))
	n := all[s.r.IntN(len(all))]
	return n, s.live[n]
}

func (s *shop) join() {
	s.last++
	p := &process{Table: flight.New(), claims: make(map[*flight.Claim]bool)}
	p.Follow()
	s.live[s.last] = p
	s.hears(s.last, p)
}

// hears has a session take note of who leads.
func (s *shop) hears(n int64, p *process) {
	if p.leader == s.leader {
		return
	}
	p.leader = s.leader
	if n == s.leader {
		p.Lead(n)
		for _, other := range slices.Sorted(maps.Keys(s.live)) {
			if other != n { // it is asked to state all
				s.live[other].leader = 0
				s.hears(other, s.live[other])
			}
		}
		return
	}
	p.Follow()
	s.letters = append(s.letters, letter{from: n, to: s.leader, all: true, said: flight.Said{Asks: p.State()}})
}

// follow does what follows from a change of p's table.
func (s *shop) follow(n int64, p *process, woken []*flight.Claim) {
	if said, some := p.Said(); some && p.leader != n {
		s.letters = append(s.letters, letter{from: n, to: p.leader, said: said})
	}
	var others []*flight.Claim
	for _, c := range woken {
		if _, own := c.Task.(flight.Party); own {
			others = append(others, c)
			continue
		}
		if !p.claims[c] {
			s.t.Fatalf("session %d has woken who left", n)
		}
		if !c.Turn() {
			s.ask(n, p, c) // there was a value; it is of no use to this one
		}
	}
	for _, told := range p.Tell(others) {
		s.letters = append(s.letters, letter{from: n, to: told.Session, told: []flight.Told{told}})
	}
	s.check()
}

func (s *shop) ask(n int64, p *process, c *flight.Claim) {
	if v := p.Ask(c); v == flight.Granted {
		p.Begin(c)
	}
	s.follow(n, p, nil)
}

// leave is for one who has ended, with a new value if it was his turn.
func (s *shop) leave(n int64, p *process, c *flight.Claim) {
	if delete(p.claims, c); c.Turn() {
		s.value[c.Key]++
		c.Carry, c.Knows = []byte{s.value[c.Key]}, true
	}
	s.follow(n, p, p.Leave(c, s.r.IntN(3) == 0))
}

// check finds two who have a turn at a time.
func (s *shop) check() {
	has := make(map[string]int64)
	for _, n := range slices.Sorted(maps.Keys(s.live)) {
		for c := range s.live[n].claims {
			if !c.Turn() {
				continue
			}
			if other := has[c.Key]; other != 0 {
				s.t.Fatalf("sessions %d and %d have the turn of %s", other, n, c.Key)
			}
			has[c.Key] = n
			if c.Knows && !slices.Equal(c.Carry, []byte{s.value[c.Key]}) {
				s.t.Fatalf("session %d believes that %d is the value of %s, it is %d", n, c.Carry, c.Key, s.value[c.Key])
			}
		}
	}
}

// deliver reads the oldest letter between two sessions.
func (s *shop) deliver() {
	if len(s.letters) == 0 {
		return
	}
	i := s.r.IntN(len(s.letters))
	for j, l := range s.letters {
		if l.from == s.letters[i].from && l.to == s.letters[i].to {
			i = j
			break
		}
	}
	l := s.letters[i]
	s.letters = slices.Delete(s.letters, i, i+1)
	p := s.live[l.to]
	if p == nil {
		return
	}
	if len(l.told) > 0 {
		if p.leader != l.from {
			return
		}
		for k := range l.told {
			s.follow(l.to, p, p.Hear(&l.told[k]))
		}
		return
	}
	if s.live[l.from] == nil {
		return // it was seen to be gone, and the store refuses what it says
	}
	if l.all {
		s.follow(l.to, p, p.Stated(l.from, l.said.Asks))
		s.follow(l.to, p, p.Live(slices.Collect(maps.Keys(s.live))))
		return
	}
	s.follow(l.to, p, p.From(l.from, &l.said))
}

// end is for a session that dies, or is closed.
func (s *shop) end(n int64) {
	delete(s.live, n)
	if n == s.leader {
		s.lead()
		return
	}
	p := s.live[s.leader]
	s.follow(s.leader, p, p.Gone(n))
	s.follow(s.leader, p, p.Live(slices.Collect(maps.Keys(s.live))))
}

// lead has another session lead.
func (s *shop) lead() {
	n, p := s.some()
	for p.left {
		s.join()
		n, p = s.last, s.live[s.last]
	}
	s.leader = n
	s.hears(n, p)
	s.follow(n, p, p.Live(slices.Collect(maps.Keys(s.live))))
}

func older(a, b *flight.Claim) int { return cmp.Compare(a.Since, b.Since) }

func (s *shop) step() {
	n, p := s.some()
	var c *flight.Claim
	if all := slices.SortedFunc(maps.Keys(p.claims), older); len(all) > 0 {
		c = all[s.r.IntN(len(all))]
	}
	switch k := s.r.IntN(100); {
	case k < 2 && len(s.live) < 4:
		s.join()
	case k < 4 && len(s.live) > 1:
		s.end(n)
	case k < 6 && len(s.live) > 1:
		if was := s.live[s.leader]; was != nil {
			was.Follow() // it lets go; what it is asked from now on is lost
			was.leader, was.left = 0, true
		}
		s.lead()
		for _, other := range slices.Sorted(maps.Keys(s.live)) {
			s.hears(other, s.live[other])
		}
	case k < 8 && n != s.leader: // it states all again
		s.letters = append(s.letters, letter{from: n, to: p.leader, all: true, said: flight.Said{Asks: p.State()}})
	case k < 12:
		owner := s.r.Int64N(3) + 1
		woken, _ := p.Park(owner, true)
		s.follow(n, p, woken)
		p.Park(owner, false)
		for _, x := range slices.SortedFunc(maps.Keys(p.claims), older) {
			if x.Owner == owner { // those that waited, and had not begun
				s.ask(n, p, x)
			}
		}
	case k < 35:
		s.clock++
		c := &flight.Claim{Key: string(rune('a' + s.r.IntN(3))), Owner: s.r.Int64N(3) + 1, Since: s.clock}
		p.claims[c] = true
		s.ask(n, p, c)
	case k < 60 && c != nil:
		s.leave(n, p, c)
	default:
		s.deliver()
	}
}

// Sessions come, go, ask and leave while who leads is replaced and letters are on
// their way: never do two have the turn of a key, and everybody has his in the end.
func TestTurnsOverSessions(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := &shop{t: t, r: rand.New(rand.NewPCG(seed, 3)), live: make(map[int64]*process), value: make(map[string]byte)}
			s.last, s.leader = 0, 1
			s.join()
			s.follow(1, s.live[1], s.live[1].Live([]int64{1}))
			for range 300 {
				s.step()
			}
			for left := 1; left > 0; {
				for len(s.letters) > 0 {
					s.deliver()
				}
				left = 0
				gone := 0
				for _, n := range slices.Sorted(maps.Keys(s.live)) {
					p := s.live[n]
					left += len(p.claims)
					for _, c := range slices.SortedFunc(maps.Keys(p.claims), older) {
						if c.Turn() {
							gone++
							s.leave(n, p, c)
						}
					}
				}
				if left > 0 && gone == 0 && len(s.letters) == 0 {
					t.Fatalf("%d wait for ever", left)
				}
			}
			for n, p := range s.live {
				if !p.Empty() {
					t.Errorf("something is left in session %d", n)
				}
			}
		})
	}
}
