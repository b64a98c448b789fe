package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// historyOf shows a history: name, attempt and message of each transition.
func historyOf(row *api.TaskRun) (lines []string) {
	for _, tr := range row.History {
		line := fmt.Sprint(tr.Name, " ", tr.Attempt)
		if tr.Message != "" {
			line += " " + tr.Message
		}
		lines = append(lines, line)
	}
	return lines
}

// A task run has one record for all its attempts, also those of earlier
// generations of its run: 1.6 of the specification of tasks.
func TestHistoryOfRetriedRuns(t *testing.T) {
	const again = "Pending 0 the run is retried"
	ok := false
	fails := func(ctx context.Context, n int) (int, error) {
		if !ok {
			return 0, fmt.Errorf("no %d", n)
		}
		return n, nil
	}
	step := runnel.NewTask1("step", fails, runnel.Retries(1), runnel.RetryDelay(time.Minute))
	child := runnel.NewTask1("child", fails)
	slow := runnel.NewTask1("slow", func(ctx context.Context, n int) (int, error) {
		if !ok {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return n, nil
	}, runnel.Timeout(time.Second))
	handler := runnel.NewTask1("handler", func(context.Context, *runnel.Failure) (int, error) { return 0, errors.New("no help") })
	flow := runnel.NewFlow1("flow", func(f runnel.Flow, n int) (int, error) { return child.Call(f, n) })
	hearing(t, stores, func(t *testing.T, h *heard) {
		ok = false
		restart := func() {
			do(t, h.eng.Close(t.Context()))
			h.open(t, step, child, slow, handler, flow)
		}
		if h.open(t, step, child, slow, handler, flow); h.store == "memory" {
			restart = func() {} // its rows go with it
		}
		ids := make([]string, 0, 4)
		for _, p := range []runnel.Pipeline[int]{
			step.Send(1), slow.Send(2), child.Send(3).Exceptionally(handler), flow.Send(4),
		} {
			run, err := h.eng.Submit(t.Context(), p)
			do(t, err)
			endsBadly(t, run)
			ids = append(ids, run.ID())
		}
		group, err := h.eng.Submit(t.Context(), runnel.InParallel(runnel.List(child.Send(5), child.Send(6))))
		do(t, err)
		endsBadly(t, group)
		ids = append(ids, group.ID())
		for range 2 {
			restart()
			for _, id := range ids {
				do(t, h.eng.Retry(t.Context(), id))
				quiet()
				restart()
				run, err := h.eng.Attach[runnel.None](t.Context(), id)
				do(t, err)
				_, _ = run.Wait(t.Context())
			}
			ok = true
		}
		rows := map[string]api.TaskRun{}
		for i, id := range ids {
			for row, err := range h.eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: id}) {
				do(t, err)
				rows[fmt.Sprint(i, " ", row.Task, " ", row.Seq)] = row
				for i := 1; i < len(row.History); i++ {
					if !row.History[i].Time.After(row.History[i-1].Time) {
						t.Errorf("history of %s goes back: %+v", row.ID, row.History)
					}
				}
			}
		}
		twice := func(once ...string) []string { return append(append(once, again), append(once, again)...) }
		for name, want := range map[string][]string{
			"0 step 0": append(twice("Running 1", "AwaitingRetry 1 no 1", "Retrying 2", "Failed 2 no 1"), "Running 1", "Completed 1"),
			"1 slow 0": append(twice("Running 1", "TimedOut 1 timed out after 1s"), "Running 1", "Completed 1"),
			// The last generation did not need it.
			"2 child 0":   append(twice("Running 1", "Failed 1 no 3"), "Running 1", "Completed 1"),
			"2 handler 1": twice("Running 1", "Failed 1 no help"),
			"3 flow 0":    append(twice("Running 1", "Failed 1 no 4"), "Running 1", "Completed 1"),
			"4 child 2":   append(twice("Running 1", "Failed 1 no 5"), "Running 1", "Completed 1"),
			"4 child 3":   append(twice("Running 1", "Failed 1 no 6"), "Running 1", "Completed 1"),
		} {
			row := rows[name]
			wants(t, "history of "+name, historyOf(&row), want)
		}
	})
}
