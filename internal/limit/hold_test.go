package limit_test

import (
	"testing"

	"github.com/runnel-dev/runnel/internal/limit"
)

// TestHeld: how long slots are held is measured from when they are had to when they are
// given back, and not of those that were forgotten meanwhile.
func TestHeld(t *testing.T) {
	table := limit.New()
	now := int64(0)
	table.Measure(func() int64 { return now })
	table.Set("a", 1)
	claims := map[string]*limit.Claim{}
	ask := func(id string) {
		claims[id] = &limit.Claim{ID: id, Tags: []string{"a"}}
		table.Ask(claims[id])
	}
	held := func(want int64) {
		t.Helper()
		if got := table.Held("a"); got != want {
			t.Errorf("at %d a slot is held for %d, want %d", now, got, want)
		}
	}
	held(0)
	ask("first")
	now = 5
	ask("second")
	now = 10
	for _, c := range table.Leave(claims["first"]).Granted {
		table.Ask(c)
	}
	held(10)
	now = 13 // the second had it from 10 on, not from when it asked
	table.Leave(claims["second"])
	ask("third")
	now = 14
	table.Leave(claims["third"])
	held(3)
	ask("forgotten")
	table.Forget("a", "forgotten")
	now = 1000
	table.Leave(claims["forgotten"])
	held(3)
	for i := range int64(200) {
		ask("more")
		now += 7
		if table.Leave(claims["more"]); i == 150 {
			held(7)
		}
	}
	if table.Held("b") != 0 {
		t.Error("a tag without a limit has a hold")
	}
}

// TestForget: one holder is forgotten, and who is next begins; of others nothing changes.
func TestForget(t *testing.T) {
	table := limit.New()
	table.Set("a", 1)
	table.Set("b", 1)
	first := &limit.Claim{ID: "first", Tags: []string{"a", "b"}}
	second := &limit.Claim{ID: "second", Tags: []string{"a"}}
	table.Ask(first)
	table.Ask(second)
	if change := table.Forget("a", "second"); len(change.Granted) > 0 || len(table.Holders("a")) != 1 {
		t.Errorf("who has no slot was forgotten: %+v", change)
	}
	change := table.Forget("a", "first")
	if len(change.Granted) != 1 || change.Granted[0] != second {
		t.Fatalf("%+v, want that the second may begin", change)
	}
	table.Ask(second)
	if h := table.Holders("b"); len(h) != 1 || h[0] != first {
		t.Errorf("the slot of another tag is held by %v", h)
	}
	if change := table.Leave(first); len(change.Granted) > 0 || len(table.Holders("a")) != 1 {
		t.Errorf("the end of the first, whose slot was forgotten, gives %+v", change)
	}
	if change := table.Forget("none", "first"); len(change.Granted) > 0 {
		t.Errorf("of a tag without a limit: %+v", change)
	}
}

// TestForgetWhoHasNotBegun: who got a slot and has not begun asks again.
func TestForgetWhoHasNotBegun(t *testing.T) {
	table := limit.New()
	table.Set("a", 1)
	first, second := &limit.Claim{ID: "first", Tags: []string{"a"}}, &limit.Claim{ID: "second", Tags: []string{"a"}}
	table.Ask(first)
	table.Ask(second)
	table.Leave(first) // grants the second
	table.Forget("a", "second")
	if len(table.Holders("a")) != 0 || table.Ask(second) != limit.Granted || len(table.Holders("a")) != 1 {
		t.Errorf("held by %v", table.Holders("a"))
	}
}
