package runnel_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// A done callback is called when the call has ended, at once if it has, with the
// state; a panic in it stays with it.
func TestFlowDoneCallbacks(t *testing.T) {
	hold := make(chan struct{})
	held := runnel.NewTask0("held", func(ctx context.Context) (int, error) {
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return 1, nil
	})
	inFlow(t, func(t *testing.T, f runnel.Flow, s *flowTasks) {
		states := make(chan api.State, 10)
		told := func(state api.State) { states <- state }
		future := held.Submit(f)
		future.OnDone(f, func(api.State) { panic("mine") })
		future.OnDone(f, told)
		select {
		case got := <-states:
			t.Errorf("told %s of a call that goes on", got)
		default:
		}
		select {
		case hold <- struct{}{}:
		case <-time.After(patience):
			t.Fatal("the call did not begin")
		}
		v, err := future.Result(f)
		do(t, err)
		wants(t, "the result, whatever the callbacks do", v, 1)
		wants(t, "told when it ends", <-states, api.Completed)
		future.OnDone(f, told)
		wants(t, "told at once when it has ended", <-states, api.Completed)
		failed := s.fail.Submit(f, "card")
		failed.OnDone(f, told)
		if _, err := failed.Result(f); err == nil {
			t.Error("it did not fail")
		}
		wants(t, "told of a failure", <-states, api.Failed)
	}, held)
}

// By the run: a result is taken within one run, and not from another.
func TestCacheByRun(t *testing.T) {
	for _, store := range stores {
		var bodies atomic.Int64
		task := runnel.NewTask1("square", func(_ context.Context, x int) (int, error) {
			bodies.Add(1)
			return x * x, nil
		}, runnel.CacheBy(runnel.ByInputs, runnel.ByRun))
		twice := runnel.NewFlow1("twice", func(f runnel.Flow, x int) (int, error) {
			a, err := task.Call(f, x)
			if err != nil {
				return 0, err
			}
			b, err := task.Call(f, x)
			return a + b, err
		})
		eng, err := runnel.Open(t.Context(), dsnOf(t, store), runnel.Register(task, twice))
		do(t, err)
		for want := range int64(2) {
			got, err := eng.Run(t.Context(), twice.Send(3))
			do(t, err)
			wants(t, "result", got, 18)
			wants(t, "bodies", bodies.Load(), want+1)
		}
		do(t, eng.Close(t.Context()))
	}
}
