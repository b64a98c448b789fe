package demo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/demo"
)

// seeded gives an engine with shapes in it.
func seeded(t *testing.T, shapes ...string) *runnel.Engine {
	t.Helper()
	d, err := demo.New(shapes...)
	if err != nil {
		t.Fatal(err)
	}
	eng, err := runnel.Open(t.Context(), "memory:", append(d.Options(), runnel.Concurrency(40))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.End()
		if err := eng.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := d.Seed(t.Context(), eng); err != nil {
		t.Fatal(err)
	}
	return eng
}

func all[T any](t *testing.T, list func(func(T, error) bool)) (out []T) {
	t.Helper()
	for v, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestZooHasEveryState(t *testing.T) {
	eng := seeded(t, "zoo")
	runs := map[api.State]int{}
	for _, r := range all(t, eng.Runs(t.Context(), api.RunFilter{})) {
		runs[r.State]++
	}
	for _, s := range []api.State{api.Running, api.Paused, api.Cancelling, api.Completed, api.Failed, api.Cancelled} {
		if runs[s] == 0 {
			t.Errorf("no run is %s: %v", s, runs)
		}
	}
	tasks, names := map[api.State]int{}, map[string]int{}
	for _, r := range all(t, eng.TaskRuns(t.Context(), api.TaskRunFilter{})) {
		tasks[r.State]++
		names[r.StateName]++
	}
	for _, s := range []api.State{api.Pending, api.Scheduled, api.Running, api.Completed, api.Failed, api.Cancelled, api.Skipped} {
		if tasks[s] == 0 {
			t.Errorf("no task run is %s: %v", s, tasks)
		}
	}
	for _, name := range []string{"AwaitingRetry", "Retrying", "TimedOut", "Cached", "Aborted"} {
		if names[name] == 0 {
			t.Errorf("no task run is %s: %v", name, names)
		}
	}
}

// TestZooWaitsForEverything wants each reason but two: worker, for which busy is
// there, and store, which passes at once.
func TestZooWaitsForEverything(t *testing.T) {
	eng := seeded(t, "zoo")
	seen := map[api.WaitingKind]bool{}
	for _, r := range all(t, eng.Runs(t.Context(), api.RunFilter{})) {
		if r.State.Final() {
			continue
		}
		w, err := eng.Why(t.Context(), r.ID)
		if err != nil || w.String() == "" {
			t.Errorf("run %s: why is %q (%v)", r.Name, w, err)
		}
		seen[w.Kind] = true
		for kind := range w.Counts {
			seen[kind] = true
		}
	}
	for _, kind := range []api.WaitingKind{
		api.WaitsForQueue, api.WaitsForSlots, api.WaitsForResume, api.WaitsForBackoff, api.WaitsForTime, api.WaitsForAnswer, api.WaitsForTaskID,
		api.WaitsForCache, api.WaitsForLimit, api.WaitsForOthers, api.WaitsForCancel, api.WaitsForParallelism, api.WaitsForRoom, api.WaitsForTaskRuns,
	} {
		if !seen[kind] {
			t.Errorf("nothing waits for %s: %v", kind, seen)
		}
	}
}

func TestZooHasLimitsSchedulesAndKeptResults(t *testing.T) {
	eng := seeded(t, "zoo")
	l, err := eng.Limits().Read(t.Context(), "scales")
	if err != nil || len(l.ActiveSlots) != 1 || l.Waiting < 2 {
		t.Errorf("limit %+v (%v), want one holder and some who wait", l, err)
	}
	if entries := all(t, eng.Cache().List(t.Context(), api.CacheFilter{Task: "rate"})); len(entries) != 2 {
		t.Errorf("cache has %+v, want EUR and USD", entries)
	}
	var made, paused, live int
	for _, s := range all(t, eng.Schedules().List(t.Context())) {
		made += len(s.Last)
		live += s.Live
		if s.Paused {
			paused++
		}
	}
	if made < 5 || paused != 1 || live != 1 {
		t.Errorf("schedules made %d runs, %d live, %d paused; want at least 5, 1, 1", made, live, paused)
	}
	levels := map[string]bool{}
	for _, r := range all(t, eng.Runs(t.Context(), api.RunFilter{Name: "chat"})) {
		for _, line := range all(t, eng.Logs(t.Context(), api.LogFilter{Run: r.ID})) {
			levels[line.Level] = true
		}
	}
	if len(levels) != 4 {
		t.Errorf("levels of log lines %v, want four", levels)
	}
}

func TestTheSameSeedGivesTheSame(t *testing.T) {
	shapes := []string{"zoo", "mixed:50", "deep:30"}
	if a, b := inventory(t, shapes), inventory(t, shapes); !slices.Equal(a, b) {
		t.Errorf("seeded twice:\n%s\nand\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

// inventory is what runs there are, without what differs from time to time.
func inventory(t *testing.T, shapes []string) (lines []string) {
	t.Helper()
	eng := seeded(t, shapes...)
	for _, r := range all(t, eng.Runs(t.Context(), api.RunFilter{})) {
		if r.State.Final() {
			ended := map[string]int64{} // a kill switch trips when it can: how many had failed by then differs
			for task, n := range r.Tasks {
				ended[task] = n.Ended()
			}
			lines = append(lines, fmt.Sprint(r.Name, " ", r.State, " ", r.Generation, " ", ended))
			continue
		}
		name := r.Name
		if r.Schedule != nil {
			name = r.Schedule.Name // without the time
		}
		lines = append(lines, fmt.Sprint(name, " ", r.State))
	}
	slices.Sort(lines)
	return lines
}

func TestFanout(t *testing.T) {
	eng := seeded(t, "fanout:3000")
	runs := all(t, eng.Runs(t.Context(), api.RunFilter{}))
	if len(runs) != 1 || runs[0].State != api.Completed {
		t.Fatalf("runs %+v, want one that completed", runs)
	}
	if got := runs[0].Tasks["stock_check"]; got.Completed != 2997 || got.Failed != 3 || got.Retries != 3 {
		t.Errorf("stock_check %+v, want 2997 completed, 3 failed, 3 retried", got)
	}
}

func TestBusyLeavesNoPlace(t *testing.T) {
	eng := seeded(t, "busy:100", "deep:3")
	for _, r := range all(t, eng.Runs(t.Context(), api.RunFilter{Name: "deliveries"})) {
		w, err := eng.Why(t.Context(), r.ID)
		if err != nil || w.Running == 0 {
			t.Errorf("why is %+v (%v), want bodies that run", w, err)
		}
	}
}

func TestWhatCanNotBeSeeded(t *testing.T) {
	for _, text := range []string{"", "zo", "zoo:3", "fanout:", "fanout:0", "fanout:-1", "deep:1e3", "deep:10001", "fanout:1:2"} {
		if _, err := demo.New(text); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("New(%q) = %v, want ErrInvalid", text, err)
		}
	}
}
