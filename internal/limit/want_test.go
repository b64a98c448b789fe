package limit_test

import (
	"testing"

	"github.com/runnel-dev/runnel/internal/limit"
)

func TestWants(t *testing.T) {
	table := limit.New()
	table.Set("a", 1)
	table.Set("b", 2)
	ask := func(owner int64, tags ...string) *limit.Claim {
		c := &limit.Claim{Owner: owner, Tags: tags}
		table.Ask(c)
		return c
	}
	first := ask(1, "a", "b")
	second, third, free := ask(2, "a"), ask(3, "a", "b"), ask(4, "c")
	behind := ask(5, "b") // a slot is free, but third is older
	for _, c := range []struct {
		name  string
		claim *limit.Claim
		tag   string
		place int
		taken int
	}{
		{"next in line", second, "a", 1, 1},
		{"one of two tags", third, "a", 2, 1},
		{"behind an older one", behind, "b", 2, 1},
	} {
		wants := table.Wants(c.claim)
		if len(wants) != 1 || wants[0].Tag != c.tag || wants[0].Place != c.place || len(wants[0].Holders) != c.taken {
			t.Errorf("%s: %+v, want tag %s, place %d", c.name, wants, c.tag, c.place)
		}
	}
	if wants := table.Wants(free); len(wants) > 0 {
		t.Errorf("one without a limit wants %+v", wants)
	}
	table.Leave(first)
	if wants := table.Wants(third); len(wants) != 1 || wants[0].Place != 1 || wants[0].Holders[0] != second {
		t.Errorf("after one has left: %+v", wants)
	}
}
