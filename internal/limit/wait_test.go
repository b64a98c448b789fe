package limit_test

import (
	"testing"

	"github.com/runnel-dev/runnel/internal/limit"
)

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
