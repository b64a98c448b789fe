package sim_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/internal/sim"
)

var (
	seeds = flag.Int("seeds", map[bool]int{false: 50, true: 5}[raceDetector], "how many seeds to simulate")
	seed  = flag.Uint64("seed", 1, "the first of them")
)

// TestSeeds simulates one seed after the other.
func TestSeeds(t *testing.T) {
	total := map[string]int{}
	for i := range *seeds {
		n := *seed + uint64(i)
		log, counts, err := sim.Simulate(t.Context(), sim.Options{Seed: n})
		for what, k := range counts {
			total[what] += k
		}
		if err == nil {
			continue
		}
		if *seeds == 1 {
			t.Log(strings.Join(log, "\n"))
		}
		t.Fatalf("seed %d: %v\nreproduce with: go test ./internal/sim -count=1 -run TestSeeds -seeds=1 -seed=%d", n, err, n)
	}
	for _, what := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%s: %d", what, total[what])
	}
}

// TestSeedsRepeat: a seed does the same each time, or it could not be looked
// into.
func TestSeedsRepeat(t *testing.T) {
	if raceDetector {
		t.Skip("as TestCrowd")
	}
	for seed := range uint64(20) {
		a, _, _ := sim.Simulate(t.Context(), sim.Options{Seed: seed})
		b, _, _ := sim.Simulate(t.Context(), sim.Options{Seed: seed})
		if !slices.Equal(a, b) {
			t.Errorf("seed %d does not repeat", seed)
		}
	}
}
