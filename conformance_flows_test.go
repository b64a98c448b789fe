package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// Cases of the task specification about dependencies, futures and maps, by
// their numbers. Those that one flow shows together are in flow_test.go.
func TestConformanceFlows(t *testing.T) {
	picky := runnel.NewTask1("picky", func(_ context.Context, x int) (int, error) {
		if x == 2 {
			return 0, fmt.Errorf("no %d: %w", x, errDeclined)
		}
		return x, nil
	})
	nested := runnel.NewTask1("nested", func(ctx context.Context, xs [][]int) (string, error) {
		return fmt.Sprint(xs, " ", len(runnel.TaskRun(ctx).Upstream)), nil
	})
	upstream := runnel.NewTask2("upstream", func(ctx context.Context, _, _ int) (int, error) {
		return len(runnel.TaskRun(ctx).Upstream), nil
	})
	joined := runnel.NewTask2("joined", func(ctx context.Context, xs, ys []int) (string, error) {
		return fmt.Sprint(append(xs, ys...), " ", len(runnel.TaskRun(ctx).Upstream)), nil
	})
	clean := runnel.NewTask0("clean", func(context.Context) (string, error) { return "clean", nil })
	tail := runnel.NewTask2("tail", func(_ context.Context, xs []int, x int) (string, error) { return fmt.Sprint(xs, x), nil })
	one := func(name string, body func(t *testing.T, f runnel.Flow, s *flowTasks)) {
		t.Run(name, func(t *testing.T) { inFlow(t, body, picky, nested, upstream, joined, clean, tail) })
	}

	one("task-case-20", func(t *testing.T, f runnel.Flow, s *flowTasks) {
		a, b := s.add.Submit(f, 1, 1), s.add.Submit(f, 2, 2)
		row := runnel.Gather[int](a, b, a)
		got, err := nested.Bind(runnel.Gather[[]int](row, row)).Call(f)
		do(t, err)
		wants(t, "values and the number of upstreams", got, "[[2 4 2] [2 4 2]] 2")
	})
	one("task-case-34", func(t *testing.T, f runnel.Flow, s *flowTasks) {
		var texts []string
		for _, future := range picky.Map(f, []int{1, 2, 3}).List() {
			text, err := s.text.Bind(runnel.AllowFailure[int](future)).Call(f)
			do(t, err)
			texts = append(texts, text)
		}
		wants(t, "texts", texts, []string{"1 <nil>", "0 no 2: declined", "3 <nil>"})
	})
	one("task-case-35", func(t *testing.T, f runnel.Flow, s *flowTasks) {
		c := picky.Map(f, picky.Map(f, []int{1, 2, 3}))
		var after []runnel.SubmitOption
		for _, future := range c.List() {
			after = append(after, runnel.WaitFor(runnel.AllowFailure[int](future)))
		}
		got, err := clean.Call(f, after...)
		do(t, err)
		wants(t, "clean-up", got, "clean")
		out, err := c.Outcomes(f)
		do(t, err)
		if !errors.Is(out[1].Failure, runnel.ErrNotReady) || out[0].Failure != nil {
			t.Errorf("what was cleaned up is %+v", out)
		}
	})
	one("task-case-46", func(t *testing.T, f runnel.Flow, s *flowTasks) {
		if _, _, err := s.add.Submit(f, 1, 1).Wait(f, -time.Second); !errors.Is(err, runnel.ErrInvalid) {
			t.Errorf("a negative time to wait: %v", err)
		}
	})
	one("task-case-47", func(t *testing.T, f runnel.Flow, s *flowTasks) {
		_, err := picky.Map(f, []int{1, 2, 3}).Results(f)
		if !errors.Is(err, errDeclined) || !strings.Contains(err.Error(), "no 2") {
			t.Errorf("the results of a map with a failure: %v", err)
		}
	})
	one("task-case-56", func(t *testing.T, f runnel.Flow, s *flowTasks) {
		got, err := tail.Map(f, runnel.Unmapped([]int{4, 5}), []int{6, 7}).Results(f)
		do(t, err)
		wants(t, "each gets the whole list", got, []string{"[4 5] 6", "[4 5] 7"})
		got, err = tail.Map(f, [][]int{{}, {}}, []int{1, 2}).Results(f)
		do(t, err)
		wants(t, "empty lists", got, []string{"[] 1", "[] 2"})
	})
	one("task-case-59", func(t *testing.T, f runnel.Flow, s *flowTasks) {
		x := s.add.Submit(f, 1, 1)
		got, err := upstream.Map(f, []runnel.Arg[int]{x, runnel.Value(2)}, runnel.Unmapped(1)).Results(f)
		do(t, err)
		wants(t, "upstreams", got, []int{1, 0})
	})
	one("task-case-60", func(t *testing.T, f runnel.Flow, s *flowTasks) {
		a, b := s.add.Submit(f, 1, 1), s.add.Submit(f, 2, 2)
		got, err := upstream.Map(f, []*runnel.Future[int]{a, b}, runnel.Unmapped(1)).Results(f)
		do(t, err)
		wants(t, "upstreams", got, []int{1, 1})
	})
	one("task-case-61", func(t *testing.T, f runnel.Flow, s *flowTasks) {
		x1, x2 := s.add.Submit(f, 0, 1), s.add.Submit(f, 1, 1)
		xs := []runnel.Arg[[]int]{runnel.Gather[int](x1, x2), runnel.Gather[int](x1, x2)}
		got, err := joined.Map(f, xs, [][]int{{3}, {4}}).Results(f)
		do(t, err)
		wants(t, "values and the number of upstreams", got, []string{"[1 2 3] 2", "[1 2 4] 2"})
	})
}

// Cases of the task specification about retries, inside a flow.
func TestConformanceFlowRetries(t *testing.T) {
	var ran atomic.Int64
	errLater, errNever := errors.New("later"), errors.New("never")
	flaky := runnel.NewTask2("flaky", func(_ context.Context, fails int64, never bool) (int64, error) {
		n := ran.Add(1)
		switch {
		case n > fails:
			return n, nil
		case never:
			return 0, errNever
		}
		return 0, errLater
	}, runnel.Retries(3), runnel.RetryIf(func(err error) bool { return !errors.Is(err, errNever) }))
	one := func(name string, body func(t *testing.T, f runnel.Flow)) {
		t.Run(name, func(t *testing.T) {
			inFlow(t, func(t *testing.T, f runnel.Flow, _ *flowTasks) { ran.Store(0); body(t, f) }, flaky)
		})
	}
	one("task-case-72", func(t *testing.T, f runnel.Flow) {
		future := flaky.Submit(f, 1, false)
		n, err := future.Result(f)
		do(t, err)
		wants(t, "bodies", n, 2)
		state, err := future.State(f)
		do(t, err)
		wants(t, "state", state, api.Completed)
	})
	one("task-case-79", func(t *testing.T, f runnel.Flow) {
		_, err := flaky.Call(f, 9, true)
		if err == nil || !strings.Contains(err.Error(), "never") {
			t.Errorf("an error that is not tried again: %v", err)
		}
		wants(t, "bodies", ran.Load(), 1)
	})
	one("task-case-23", func(t *testing.T, f runnel.Flow) {
		_, err := flaky.WithOptions(runnel.Retries(0)).Call(f, 9, false)
		if err == nil {
			t.Error("it did not fail")
		}
		wants(t, "bodies", ran.Load(), 1)
	})
}
