package work

import (
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/runneltest"
)

// Undisturbed, all work comes to its answer.
func TestAnswers(t *testing.T) {
	kinds := map[Kind]int{}
	var count func(n Node)
	count = func(n Node) {
		kinds[n.Kind]++
		for _, part := range n.Parts {
			count(part)
		}
	}
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		for seed := range uint64(60) {
			n := Random(seed)
			count(n)
			if got := runneltest.Value(t, eng, visit.Send(5, n)); got != n.Answer(5) {
				t.Errorf("seed %d: %d, want %d: %+v", seed, got, n.Answer(5), n)
			}
		}
	}, Tasks())
	for _, kind := range append(leaves, inner...) {
		if kinds[kind] == 0 {
			t.Errorf("no node is a %s", kind)
		}
	}
}
