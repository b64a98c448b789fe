package demo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/graphview"
)

var (
	list = runnel.NewTask1("list", func(_ context.Context, n int) ([]int, error) {
		out := make([]int, n)
		for i := range out {
			out[i] = i
		}
		return out, nil
	})
	fetch = runnel.NewTask1("fetch", func(_ context.Context, i int) (int, error) {
		if i == 3 {
			return 0, errors.New("connection refused\nat once")
		}
		return i, nil
	})
	store = runnel.NewTask1("store", func(_ context.Context, i int) (int, error) { return i, nil })
	sum   = runnel.NewTask1("sum", func(_ context.Context, all []int) (int, error) { return len(all), nil })
	save  = runnel.NewTask1("save", func(_ context.Context, f *runnel.Failure) (int, error) { return -1, nil })
	tidy  = runnel.NewTask0("tidy", func(context.Context) (runnel.None, error) { return runnel.None{}, nil })
	again = runnel.NewOrchestrator1("again", func(_ context.Context, n int) (runnel.Runnable[int], error) {
		return store.Send(n).ContinueWith(store), nil
	})
	trip = runnel.NewFlow1("trip", func(f runnel.Flow, n int) (int, error) {
		many := list.Submit(f, n)
		all, err := many.Result(f)
		if err != nil {
			return 0, err
		}
		return sum.Bind(store.Map(f, all)).Call(f)
	})
)

// ended runs a pipeline to its end and gives what is known of the run: all its
// task runs, or only those that somebody has to look at.
func ended[R any](t *testing.T, p runnel.Runnable[R], all bool) *graphview.Facts {
	t.Helper()
	ctx := t.Context()
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(list, fetch, store, sum, save, tidy, again, trip))
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close(context.WithoutCancel(ctx))
	run, err := eng.Submit(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := func() error { _, err := run.Wait(ctx); return err }(); err != nil {
		t.Log("the run ended with", err)
	}
	f := &graphview.Facts{}
	if f.Run, err = run.Status(ctx); err != nil {
		t.Fatal(err)
	}
	f.Run.Name = "example"
	text, err := run.Request(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.Spec = new(api.Spec)
	if err := json.Unmarshal(text, f.Spec); err != nil {
		t.Fatal(err)
	}
	filter := api.TaskRunFilter{Run: run.ID()}
	if !all {
		filter.States = []api.State{api.Pending, api.Scheduled, api.Running, api.Failed, api.Crashed}
	}
	for row, err := range eng.TaskRuns(ctx, filter) {
		if err != nil {
			t.Fatal(err)
		}
		row.ID = fmt.Sprint(row.Seq)
		for i, up := range row.Upstream {
			_, row.Upstream[i].TaskRun, _ = strings.Cut(up.TaskRun, "/")
		}
		row.Started, row.Finished, row.History = row.Started.UTC(), row.Started, nil // no times in texts
		f.TaskRuns = append(f.TaskRuns, row)
	}
	return f
}

func textOf(t *testing.T, g *graphview.Graph, open ...string) string {
	t.Helper()
	out, err := graphview.Collapse(g, graphview.Fold{Open: open})
	if err != nil {
		t.Fatal(err)
	}
	text, err := graphview.Text(out, graphview.TextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func pipelineOf(n int) runnel.Closed[int] {
	var children []runnel.Pipeline[int]
	for i := range n {
		children = append(children, fetch.Send(i).ContinueWith(store))
	}
	return runnel.InParallel(children).ContinueWith(sum).Exceptionally(save).FinallyDo(tidy.Send())
}

func wantText(t *testing.T, got string, want ...string) {
	t.Helper()
	if text := strings.Join(want, "\n") + "\n"; got != text {
		t.Errorf("got\n%swant\n%s", got, text)
	}
}

// both tests what is known of all task runs, and of those only that somebody has to
// look at: collapsed it is the same.
func both(t *testing.T, do func(t *testing.T, all bool)) {
	for _, all := range []bool{true, false} {
		t.Run(fmt.Sprintf("all rows %v", all), func(t *testing.T) { do(t, all) })
	}
}

func TestRunIsItsPipelineFilledIn(t *testing.T) {
	both(t, func(t *testing.T, all bool) {
		f := ended(t, pipelineOf(5), all)
		wantText(t, textOf(t, graphview.FromPlan("etl", f.Spec)),
			"· etl  planned",
			"· fetch → … ×5    planned",
			"· sum             planned       ↑",
			"· on error: save  planned       ↑",
			"· finally: tidy   planned       ← sum, save")
		wantText(t, textOf(t, graphview.FromRun(f)),
			"✓ example  completed",
			"✗ fetch → … ×5    failed      ✗ 1  ⇥ 1  ✓ 8",
			"⇥ sum             skipped                    ↑",
			"✓ on error: save  completed                  ↑",
			"✓ finally: tidy   completed                  ← sum, save")
		wantText(t, textOf(t, graphview.FromRun(ended(t, pipelineOf(500), all)), "steps[0]"),
			"✓ example  completed",
			"✗ fetch → … ×500    failed      ✗ 1  ⇥ 1  ✓ 998",
			"  ✗ fetch → … ×500  failed      ✗ 1  ⇥ 1  ✓ 998",
			"    ✗ fetch ×500    failed      ✗ 1  ✓ 499",
			"    ✓ store ×500    completed   ⇥ 1  ✓ 499       ↑",
			"⇥ sum               skipped                      ↑",
			"✓ on error: save    completed                    ↑",
			"✓ finally: tidy     completed                    ← sum, save")
	})
}

func TestElementsOfAListAreListedOrCounted(t *testing.T) {
	p := list.Send(5).ContinueWith(runnel.Each(fetch)).ContinueWith(sum)
	wantText(t, textOf(t, graphview.FromRun(ended(t, p, true)), "fetch"),
		"✗ example  failed",
		"✓ list           completed",
		"✗ each fetch ×5  failed      ✗ 1  ✓ 4            ↑",
		"  ✗ fetch ×5     failed      ✗ 1  ✓ 4",
		"    ✓ fetch-3    completed",
		"    ✓ fetch-4    completed",
		"    ✓ fetch-5    completed",
		"    ✗ fetch-6    failed      connection refused",
		"    ✓ fetch-7    completed",
		"⇥ sum            skipped                         ↑")
	wantText(t, textOf(t, graphview.FromRun(ended(t, p, false)), "fetch"),
		"✗ example  failed",
		"✓ list             completed",
		"✗ each fetch ×5    failed      ✗ 1  ✓ 4            ↑",
		"  ✗ fetch ×5       failed      ✗ 1  ✓ 4",
		"    ✗ fetch-6      failed      connection refused",
		"    ✓ completed 4  completed",
		"⇥ sum              skipped                         ↑")
}

func TestCallsOfAFlowStandInIt(t *testing.T) {
	wantText(t, textOf(t, graphview.FromRun(ended(t, trip.Send(3), true)), "store"),
		"✓ example  completed",
		"✓ trip (5 tasks)  completed",
		"  ✓ list-0        completed",
		"  ✓ store ×3      completed",
		"    ✓ store-0     completed",
		"    ✓ store-1     completed",
		"    ✓ store-2     completed",
		"  ✓ sum-0         completed     ← store-0, store-1, store-2")
	wantText(t, textOf(t, graphview.FromRun(ended(t, trip.Send(3), false))),
		"✓ example  completed",
		"✓ trip (5 tasks)  completed",
		"  ✓ list          completed",
		"  ✓ store ×3      completed",
		"  ✓ sum           completed")
}

func TestWhatCantBeToldIsNotGuessed(t *testing.T) {
	// The orchestrator between the two makes two more: each says where it is from.
	p := store.Send(1).ContinueWith(again).ContinueWith(store)
	wantText(t, textOf(t, graphview.FromRun(ended(t, p, true))),
		"✓ example  completed",
		"✓ store     completed",
		"✓ store ×2  completed",
		"✓ again     completed     ← store",
		"✓ store     completed     ↑")
	// Of what is only counted nothing says which is which.
	wantText(t, textOf(t, graphview.FromRun(ended(t, p, false))),
		"✓ example  completed",
		"? store     unknown",
		"✓ store ×4  completed",
		"✓ again     completed     ← store",
		"? store     unknown       ↑")
	// As many as steps: each has its own.
	wantText(t, textOf(t, graphview.FromRun(ended(t, store.Send(1).ContinueWith(store), true))),
		"✓ example  completed", "✓ store  completed", "✓ store  completed     ↑")
	wantText(t, textOf(t, graphview.FromRun(ended(t, store.Send(1).ContinueWith(store), false))),
		"✓ example  completed", "✓ store  completed", "✓ store  completed     ↑")
}
