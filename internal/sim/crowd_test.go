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
	crowdSeeds = flag.Int("crowds", 2, "how many seeds to simulate with many engines, from -seed on")
	engines    = flag.Int("engines", 100, "how many engines there are in each of them")
)

// TestCrowd simulates many engines on one store, one seed after the other.
func TestCrowd(t *testing.T) {
	if raceDetector {
		t.Skip("it is one goroutine, and a hundred engines take a minute under the race detector")
	}
	t.Parallel()
	total := map[string]int{}
	for i := range *crowdSeeds {
		n := *seed + uint64(i)
		log, counts, err := sim.SimulateCrowd(t.Context(), sim.CrowdOptions{Seed: n, Engines: *engines, Runs: *engines})
		for what, k := range counts {
			total[what] += k
		}
		if err == nil {
			continue
		}
		if *crowdSeeds == 1 {
			t.Log(strings.Join(log, "\n"))
		}
		t.Fatalf("seed %d, %d engines: %v\nreproduce with: make crowd SEED=%d SEEDS=1 ENGINES=%d", n, *engines, err, n, *engines)
	}
	for _, what := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%s: %d", what, total[what])
	}
}

// TestCrowdsRepeat: a seed does the same each time.
func TestCrowdsRepeat(t *testing.T) {
	if raceDetector {
		t.Skip("as TestCrowd")
	}
	for seed := range uint64(10) {
		o := sim.CrowdOptions{Seed: seed, Engines: 10, Runs: 10}
		a, _, _ := sim.SimulateCrowd(t.Context(), o)
		b, _, _ := sim.SimulateCrowd(t.Context(), o)
		if !slices.Equal(a, b) {
			t.Errorf("seed %d does not repeat", seed)
		}
	}
}
