package limit_test

import (
	"testing"

	"github.com/runnel-dev/runnel/internal/limit"
)

// asked makes a claim and asks for it.
func asked(t *testing.T, table *limit.Table, want limit.Verdict, tags ...string) *limit.Claim {
	t.Helper()
	c := &limit.Claim{Tags: tags, Task: 0}
	if got := table.Ask(c); got != want {
		t.Errorf("asked for %v and was told %d, want %d", tags, got, want)
	}
	return c
}

// Tb: who has a slot and asks again does not wait for itself.
func TestHolderAsksAgain(t *testing.T) {
	table := limit.New()
	table.Set("a", 1)
	holder := asked(t, table, limit.Granted, "a")
	next := asked(t, table, limit.Waits, "a")
	if got := table.Ask(holder); got != limit.Granted {
		t.Errorf("the holder asks again at a full limit and is told %d, want %d", got, limit.Granted)
	}
	if n := len(table.Holders("a")); n != 1 {
		t.Errorf("%d hold a slot, want one", n)
	}
	table.Leave(holder)
	if got := table.Ask(next); got != limit.Granted || len(table.Holders("a")) != 1 {
		t.Errorf("the next one is told %d, want %d", got, limit.Granted)
	}
}

// Two have slots and have not begun when the limit is lowered to 1: the older one
// keeps its slot, the other one waits again, before those who came later.
func TestLowerTakesSlotsThatAreNotUsedYet(t *testing.T) {
	table := limit.New()
	table.Set("a", 2)
	running := []*limit.Claim{asked(t, table, limit.Granted, "a"), asked(t, table, limit.Granted, "a")}
	older, younger := asked(t, table, limit.Waits, "a"), asked(t, table, limit.Waits, "a")
	late := asked(t, table, limit.Waits, "a")
	for _, c := range running {
		table.Leave(c)
	}
	table.Set("a", 1)
	if got := table.Ask(younger); got != limit.Waits {
		t.Errorf("the younger asks and is told %d, want to wait", got)
	}
	if got := table.Ask(older); got != limit.Granted {
		t.Errorf("the older asks and is told %d, want to begin", got)
	}
	change := table.Leave(older)
	if len(change.Granted) != 1 || change.Granted[0] != younger {
		t.Errorf("%d are granted, want the younger and not %p", len(change.Granted), late)
	}
}

func TestNobodyPassesAnOlderOne(t *testing.T) {
	table := limit.New()
	table.Set("a", 1)
	table.Set("b", 1)
	first := asked(t, table, limit.Granted, "a")
	both := asked(t, table, limit.Waits, "a", "b")
	asked(t, table, limit.Waits, "b") // which is free
	if change := table.Leave(first); len(change.Granted) != 1 || change.Granted[0] != both {
		t.Errorf("%d are granted, want the one that waits for both", len(change.Granted))
	}
}
