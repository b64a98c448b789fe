package limit_test

import (
	"testing"

	"github.com/runnel-dev/runnel/internal/limit"
)

// TestFirst: since when the first in line has waited is told while it does, but for parked
// runs.
func TestFirst(t *testing.T) {
	table := limit.New()
	now := int64(5)
	table.Measure(func() int64 { return now })
	table.Set("a", 1)
	first := func(want int64) {
		t.Helper()
		if got := table.First("a"); got != want {
			t.Errorf("at %d the first has waited since %d, want %d", now, got, want)
		}
	}
	holder, second, third := &limit.Claim{Tags: []string{"a"}}, &limit.Claim{Owner: 2, Tags: []string{"a"}}, &limit.Claim{Owner: 3, Tags: []string{"a"}}
	table.Ask(holder)
	first(0)
	now = 7
	table.Ask(second)
	now = 9
	table.Ask(third)
	first(7)
	table.Park(2, true)
	first(9)
	table.Park(2, false)
	first(7)
	table.Leave(holder)
	first(9)
	table.Leave(third)
	first(0)
	if got := table.First("b"); got != 0 {
		t.Errorf("a tag without a limit is waited for since %d", got)
	}
}

// TestWaited: how long who got a slot had waited since it asked first is told of the last
// hundred, and of those since a time.
func TestWaited(t *testing.T) {
	table := limit.New()
	now := int64(0)
	table.Measure(func() int64 { return now })
	table.Set("a", 1)
	waited := func(tag string, since, want int64) {
		t.Helper()
		if got := table.Waited(tag, since); got != want {
			t.Errorf("at %d those of %s since %d had waited for %d, want %d", now, tag, since, got, want)
		}
	}
	waited("a", 0, 0)
	first := &limit.Claim{Tags: []string{"a"}}
	second := &limit.Claim{Owner: 2, Tags: []string{"b", "a"}}
	table.Ask(first)
	now = 5
	table.Ask(second)
	now = 12
	table.Park(2, true) // who is passed over keeps waiting
	table.Leave(first)
	now = 40
	for _, c := range table.Park(2, false).Granted {
		table.Ask(c)
	}
	waited("a", 0, 35)
	waited("a", 41, 0)
	waited("b", 0, 0)
	now = 50
	table.Leave(second)
	table.Ask(second) // again, and at once
	waited("a", 50, 0)
	table.Leave(second)
	for i := range int64(200) { // each waits for as long as its number says
		holder, waiter := &limit.Claim{Tags: []string{"a"}}, &limit.Claim{Tags: []string{"a"}}
		table.Ask(holder)
		table.Ask(waiter)
		now += i
		for _, c := range table.Leave(holder).Granted {
			table.Ask(c)
		}
		table.Leave(waiter)
	}
	waited("a", 0, 194) // of the last 101: 50 who got it at once, and those who waited for 149 … 199
}
