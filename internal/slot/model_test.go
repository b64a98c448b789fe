package slot_test

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/internal/slot"
)

// plain is the stupid model: lists, searched from end to end, and levels as
// numbers of slots.
type plain struct {
	limits map[string]*level
	claims []*ask // all that hold or wait, in the order of asking
	now    time.Time
	number int
}

// level is a limit.
type level struct {
	slot.Def
	used float64 // slots that have not come back at
	at   time.Time
}

// ask is a claim.
type ask struct {
	number, owner int
	names, counts []string // what it asks for, and where it is counted
	slots         int
	rate, waits   bool
}

// left is what is used up, as the specification has it: max(0, n - decay × t).
func (l *level) left(now time.Time) float64 {
	if l.Per == 0 {
		return 0
	}
	return max(0, l.used-float64(now.Sub(l.at))/float64(l.Per))
}

func (m *plain) active(names []string) (list []string) {
	for _, name := range names {
		if l := m.limits[name]; l != nil && !l.Inactive {
			list = append(list, name)
		}
	}
	return list
}

func (m *plain) held(name string) (n int) {
	for _, a := range m.claims {
		if slices.Contains(a.counts, name) {
			n += a.slots
		}
	}
	return n
}

func (m *plain) used(name string) int {
	l := m.limits[name]
	if l == nil {
		return 0
	}
	return m.held(name) + int(math.Ceil(l.left(m.now)))
}

func (m *plain) room(a *ask) bool {
	for _, name := range m.active(a.names) {
		l := m.limits[name]
		if float64(m.held(name)+a.slots)+l.left(m.now) > float64(l.Limit) {
			return false
		}
	}
	return true
}

// first: nobody older waits for anything that a wants.
func (m *plain) first(a *ask) bool {
	for _, older := range m.claims {
		if older.waits && older.number < a.number && meet(m.active(older.names), m.active(a.names)) {
			return false
		}
	}
	return true
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}

func (m *plain) take(a *ask) {
	a.waits = false
	m.remove(a)
	if !a.rate {
		a.counts = m.active(a.names)
		m.claims = append(m.claims, a)
		slices.SortFunc(m.claims, func(a, b *ask) int { return cmp.Compare(a.number, b.number) })
		return
	}
	for _, name := range m.active(a.names) {
		l := m.limits[name]
		l.used, l.at = l.left(m.now)+float64(a.slots), m.now
	}
}

func (m *plain) remove(a *ask) {
	m.claims = slices.DeleteFunc(m.claims, func(other *ask) bool { return other == a })
}

// settle tries everybody until nothing changes.
func (m *plain) settle() (granted []int) {
	for again := true; again; {
		again = false
		for _, a := range slices.Clone(m.claims) {
			if a.waits && m.first(a) && m.room(a) {
				m.take(a)
				granted, again = append(granted, a.number), true
			}
		}
	}
	return granted
}

// stuck plays to the end what happens if nobody comes any more and who does not
// wait gives back all it has. Who has nothing beside what it waits for is not the
// one to refuse.
func (m *plain) stuck(owner int) bool {
	has := 0
	for _, a := range m.claims {
		if a.owner == owner {
			has++
		}
	}
	if has < 2 {
		return false
	}
	rest := &plain{limits: m.limits, now: m.now.Add(1000 * time.Hour)}
	for _, a := range m.claims {
		again := *a
		rest.claims = append(rest.claims, &again)
	}
	for again := true; again; {
		again = false
		for _, a := range slices.Clone(rest.claims) {
			waits := slices.ContainsFunc(rest.claims, func(b *ask) bool { return b.owner == a.owner && b.waits })
			switch {
			case !waits:
				rest.remove(a)
				again = true
			case a.waits && rest.first(a) && rest.room(a):
				a.waits, again = false, true
				if a.counts = rest.active(a.names); a.rate {
					rest.remove(a)
				}
			}
		}
	}
	return slices.ContainsFunc(rest.claims, func(a *ask) bool { return a.owner == owner && a.waits })
}

func (m *plain) ask(a *ask) slot.Verdict {
	for _, name := range a.names {
		l := m.limits[name]
		switch {
		case l == nil:
		case a.rate && l.Per == 0:
			return slot.NoDecay
		case !l.Inactive && a.slots > l.Limit:
			return slot.TooMany
		}
	}
	if m.first(a) && m.room(a) {
		m.take(a)
		return slot.Granted
	}
	alone := !slices.ContainsFunc(m.claims, func(b *ask) bool { return b.owner == a.owner && b.waits })
	a.waits = true
	m.claims = append(m.claims, a)
	switch {
	case !m.stuck(a.owner):
		return slot.Waits
	case alone && m.room(a):
		m.take(a)
		return slot.Granted
	}
	m.remove(a)
	return slot.Stuck
}

// set gives who is granted and who is refused.
func (m *plain) set(name string, def slot.Def) (granted, refused []int) {
	l := m.limits[name]
	if l == nil {
		l = &level{}
		m.limits[name] = l
	}
	if l.Per != def.Per {
		n := l.left(m.now)
		if l.used, l.at = min(n, float64(def.Limit)), m.now; l.Per == 0 || def.Per == 0 {
			l.used = 0
		}
	}
	l.Def = def
	if def.Inactive {
		return m.settle(), nil
	}
	for _, a := range slices.Clone(m.claims) {
		if a.waits && slices.Contains(a.names, name) && (a.slots > def.Limit || a.rate && def.Per == 0) {
			m.remove(a)
			refused = append(refused, a.number)
		}
	}
	for {
		granted = append(granted, m.settle()...)
		i := len(m.claims) - 1
		for i >= 0 && (!m.claims[i].waits || !m.stuck(m.claims[i].owner)) {
			i--
		}
		if i < 0 {
			return granted, refused
		}
		refused = append(refused, m.claims[i].number)
		m.remove(m.claims[i])
	}
}

// reset forgets who is counted, and delete the limit.
func (m *plain) reset(name string) {
	for _, a := range m.claims {
		a.counts = slices.DeleteFunc(slices.Clone(a.counts), func(other string) bool { return other == name })
	}
	if l := m.limits[name]; l != nil {
		l.used = 0
	}
}
