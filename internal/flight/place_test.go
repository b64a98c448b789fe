package flight_test

import (
	"testing"

	"github.com/runnel-dev/runnel/internal/flight"
)

func TestPlaceInLine(t *testing.T) {
	table := flight.New()
	var claims []*flight.Claim
	for range 3 {
		c := &flight.Claim{Key: "k"}
		claims = append(claims, c)
		table.Ask(c)
	}
	check := func(what string, i int, holder *flight.Claim, place int) {
		if h, p := table.Waits(claims[i]); h != holder || p != place {
			t.Errorf("%s: claim %d waits for %p at place %d, want %p at %d", what, i, h, p, holder, place)
		}
	}
	check("at first", 0, nil, 0)
	check("at first", 1, claims[0], 1)
	check("at first", 2, claims[0], 2)
	table.Leave(claims[0], false)
	check("later", 1, nil, 0)
	check("later", 2, claims[1], 1)
}
