package sim

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/runnel-dev/runnel/api"
)

// drawer lets rapid choose, which shrinks what it finds.
type drawer struct{ t *rapid.T }

// IntN draws a number below n.
func (d drawer) IntN(n int) int { return rapid.IntRange(0, n-1).Draw(d.t, "choice") }

// TestRandomPipelines runs random pipelines with random failures on the engine,
// without crashes; the outcome must be that of the naive interpreter.
func TestRandomPipelines(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := newGenerator(drawer{rt}, faults{fail: true, failFast: true, slow: true, pend: true, pause: true, shared: true, flows: true, tags: true, late: true})
		spec := g.pipeline(rapid.IntRange(0, 5).Draw(rt, "depth"))
		log, _, err := Simulate(t.Context(), Options{Seed: rapid.Uint64().Draw(rt, "seed"), Runs: []*api.Spec{spec}})
		if err != nil {
			rt.Fatalf("%v\n%s", err, strings.Join(log, "\n"))
		}
	})
}
