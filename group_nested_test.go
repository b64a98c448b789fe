package runnel_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/runneltest"
)

// TestLargeBranchesWithHandlers has branches whose handler is a pipeline, and
// results that are read back from the store: a branch's own is the one that
// counts, not that of the pipeline within it.
func TestLargeBranchesWithHandlers(t *testing.T) {
	const size = 600_000 // two of them are more than a group keeps in memory
	broken := runnel.NewTask0("broken", func(context.Context) (string, error) { return "", errors.New("no") })
	excuse := runnel.NewTask1("excuse", func(_ context.Context, why *runnel.Failure) (string, error) { return why.Message, nil })
	repeat := runnel.NewTask1("repeat", func(_ context.Context, s string) (string, error) { return strings.Repeat(s, size), nil })
	cut := runnel.NewTask1("cut", func(_ context.Context, s string) (string, error) { return "cut " + s[2:], nil })
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		branch := broken.Send().Exceptionally(excuse.With().ContinueWith(repeat)).ContinueWith(cut)
		for _, got := range runneltest.Value(t, eng, runnel.InParallel(runnel.List(branch, branch))) {
			if len(got) != 2*size+2 || !strings.HasPrefix(got, "cut no") {
				t.Errorf("got %d bytes beginning with %.10s, want %d beginning with cut no", len(got), got, 2*size+2)
			}
		}
	}, runnel.Register(broken, excuse, repeat, cut))
}

// TestEachOfNothing has lists without elements; a nil slice is one.
func TestEachOfNothing(t *testing.T) {
	nothing := runnel.NewTask0("nothing", func(context.Context) ([]int, error) { return nil, nil })
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		for _, list := range []runnel.Pipeline[[]int]{nothing.Send(), runnel.Value([]int(nil)), runnel.Value([]int{})} {
			if got := runneltest.Value(t, eng, list.ContinueWith(runnel.Each(double)).ContinueWith(count)); got != 0 {
				t.Errorf("got %d elements", got)
			}
		}
	}, runnel.Register(nothing, double, count))
}
