package runnel_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// Tasks of pipelines in which the same one is called in several places.
var (
	twiceTask = runnel.NewTask1("twice", func(_ context.Context, x int) (int, error) { return 2 * x, nil })
	totalTask = runnel.NewTask1("total", func(_ context.Context, xs []int) (int, error) {
		sum := 0
		for _, x := range xs {
			sum += x
		}
		return sum, nil
	})
	// downTask counts down, each round in place of the one before.
	downTask = runnel.NewOrchestrator1("down", func(_ context.Context, n int) (runnel.Runnable[int], error) {
		if n == 0 {
			return runnel.Value(0), nil
		}
		return runnel.Ref1[int, int]("down").Send(n - 1), nil
	})
	fanOut = runnel.NewOrchestrator1("fan_out", func(_ context.Context, n int) (runnel.Runnable[int], error) {
		return runnel.InParallel(slices.Repeat([]runnel.Pipeline[int]{twiceTask.Send(1).ContinueWith(twiceTask)}, n)).ContinueWith(totalTask), nil
	})
	inner = runnel.NewFlow1("inner", func(f runnel.Flow, x int) (int, error) { return twiceTask.Call(f, x) })
	outer = runnel.NewFlow1("outer", func(f runnel.Flow, x int) (int, error) {
		one, err := twiceTask.Call(f, x)
		if err != nil {
			return 0, err
		}
		two, err := twiceTask.Send(one).ContinueWith(twiceTask).Submit(f).Result(f)
		if err != nil {
			return 0, err
		}
		return inner.Call(f, two)
	})
	brokenTask = runnel.NewTask1("broken", func(_ context.Context, x int) (int, error) {
		return 0, errors.New("broken")
	})
	mendTask = runnel.NewTask1("mend", func(_ context.Context, _ *runnel.Failure) (int, error) { return 7, nil })
)

// from says where the task runs of a run come from, by number.
func from(t *testing.T, eng *runnel.Engine, run string) string {
	t.Helper()
	var lines []string
	known := make(map[string]api.TaskRun)
	last := ""
	for r, err := range eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run}) {
		do(t, err)
		known[r.ID] = r
		for alone, err := range eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run, After: last, Limit: 1}) {
			do(t, err)
			wants(t, "as a page of its own", alone.ID+" "+alone.Place+" "+alone.Caller, r.ID+" "+r.Place+" "+r.Caller)
			wants(t, "as a page of its own", alone.Index, r.Index)
		}
		last = r.ID
		caller := ""
		if r.Caller != "" {
			by := known[r.Caller] // it has a lower number
			caller = " of " + cmp.Or(by.Place, "?") + "/" + by.Task
		}
		lines = append(lines, fmt.Sprintf("%s %s[%d]%s", r.Task, cmp.Or(r.Place, "?"), r.Index, caller))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestPlaces(t *testing.T) {
	pair := twiceTask.Send(1).ContinueWith(twiceTask)
	for name, c := range map[string]struct {
		run  runnel.Runnable[int]
		want string
	}{
		"the same task in several steps": {
			twiceTask.Send(1).ContinueWith(twiceTask).FinallyDo(twiceTask.Send(3)),
			"twice finally[-1]\ntwice steps[0][-1]\ntwice steps[1][-1]",
		},
		"groups of tasks and of chains": {
			runnel.InParallel(runnel.List(twiceTask.Send(1), pair, runnel.InParallel(runnel.List(pair, twiceTask.Send(2))).ContinueWith(totalTask))).ContinueWith(totalTask),
			"total steps[0].children[2].steps[1][2]\ntotal steps[1][-1]\n" +
				"twice steps[0].children[0].steps[0][0]\ntwice steps[0].children[1].steps[0][1]\ntwice steps[0].children[1].steps[1][1]\n" +
				"twice steps[0].children[2].steps[0].children[0].steps[0][0]\ntwice steps[0].children[2].steps[0].children[0].steps[1][0]\n" +
				"twice steps[0].children[2].steps[0].children[1].steps[0][1]",
		},
		"an each": {
			runnel.Value([]int{1, 2}).ContinueWith(runnel.Each(twiceTask.With().ContinueWith(twiceTask))).ContinueWith(totalTask),
			"total steps[2][-1]\ntwice steps[1].each.steps[0][0]\ntwice steps[1].each.steps[0][1]\ntwice steps[1].each.steps[1][0]\ntwice steps[1].each.steps[1][1]",
		},
		"handlers": {
			brokenTask.Send(1).Exceptionally(mendTask).ContinueWith(twiceTask),
			"broken steps[0][-1]\nmend steps[1][-1]\ntwice steps[2][-1]",
		},
		"returned in its place": {
			downTask.Send(2),
			"down steps[0][-1]\ndown steps[0][-1] of steps[0]/down\ndown steps[0][-1] of steps[0]/down",
		},
		"returned in a group": {
			runnel.InParallel(runnel.List(downTask.Send(1), fanOut.Send(1).ContinueWith(twiceTask))).ContinueWith(totalTask),
			"down steps[0].children[0].steps[0][0]\ndown steps[0][0] of steps[0].children[0].steps[0]/down\n" +
				"fan_out steps[0].children[1].steps[0][1]\n" +
				"total steps[1][-1]\ntotal steps[1][-1] of steps[0].children[1].steps[0]/fan_out\n" +
				"twice steps[0].children[0].steps[0][0] of steps[0].children[1].steps[0]/fan_out\n" +
				"twice steps[0].children[0].steps[1][0] of steps[0].children[1].steps[0]/fan_out\n" +
				"twice steps[0].children[1].steps[1][1]",
		},
		"flows": {
			twiceTask.Send(1).ContinueWith(outer),
			"inner steps[0][-1] of steps[1]/outer\nouter steps[1][-1]\ntwice steps[0][-1]\ntwice steps[0][-1] of steps[0]/inner\n" +
				"twice steps[0][-1] of steps[1]/outer\ntwice steps[0][-1] of steps[1]/outer\ntwice steps[1][-1] of steps[1]/outer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStores(t, func(t *testing.T, s *suite) {
				run, err := s.eng.Submit[int](t.Context(), c.run)
				do(t, err)
				_, err = run.Wait(t.Context())
				do(t, err)
				if got := from(t, s.eng, run.ID()); got != c.want {
					t.Errorf("places:\n%s\nwant\n%s", got, c.want)
				}
			}, runnel.Register(twiceTask, totalTask, downTask, fanOut, inner, outer, brokenTask, mendTask))
		})
	}
}
