package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// odd fails for what begins with "bad", and counts how many run at a time.
type odd struct {
	task      runnel.Task2[string, string, string]
	now, most atomic.Int64
	ran       atomic.Int64
}

func newOdd() *odd {
	o := &odd{}
	o.task = runnel.NewTask2("odd", func(ctx context.Context, a, b string) (string, error) {
		o.ran.Add(1)
		n := o.now.Add(1)
		defer o.now.Add(-1)
		for m := o.most.Load(); n > m && !o.most.CompareAndSwap(m, n); m = o.most.Load() {
		}
		switch {
		case strings.HasPrefix(a, "bad"):
			return "", fmt.Errorf("%s", a)
		case a == "hang":
			<-ctx.Done()
			return "", context.Cause(ctx)
		}
		return a + b, nil
	})
	return o
}

func TestBatch(t *testing.T) {
	o := newOdd()
	inFlow(t, func(t *testing.T, f runnel.Flow, s *flowTasks) { // cases 62, 63, 66, 67, 69
		futures, err := runnel.NewBatch(s.add, 2).Map(f, []int{1, 2, 3, 4}, []int{2, 3, 4, 5})
		do(t, err)
		got, err := futures.Results(f)
		do(t, err)
		wants(t, "seed 003", got, []int{3, 5, 7, 9})

		for _, batch := range []runnel.Batch2[string, string, string]{runnel.NewBatch(o.task, 3), runnel.NewBatch(o.task, 3).Sliding()} {
			o.most.Store(0)
			letters := iter.Seq[string](func(yield func(string) bool) {
				for i := range 8 {
					if !yield(string(rune('a' + i))) {
						return
					}
				}
			})
			futures, err := batch.Map(f, letters, runnel.Unmapped("!"))
			do(t, err)
			texts, err := futures.Results(f)
			do(t, err)
			wants(t, "in order", texts, []string{"a!", "b!", "c!", "d!", "e!", "f!", "g!", "h!"})
			if most := o.most.Load(); most > 3 {
				t.Errorf("%d at a time, the batch is of 3", most)
			}
		}

		trips := func(what string, made int, batch runnel.Batch2[string, string, string], as ...string) {
			t.Helper()
			before := o.ran.Load()
			futures, err := batch.Map(f, as, runnel.Unmapped(""))
			if !errors.Is(err, runnel.ErrKillSwitch) || !strings.Contains(err.Error(), "tripped") {
				t.Errorf("%s: %v", what, err)
			}
			wants(t, what+": calls", len(futures.List()), made)
			if ran := o.ran.Load() - before; ran > int64(made) {
				t.Errorf("%s: %d bodies ran", what, ran)
			}
			for _, future := range futures.List() {
				state, err := future.State(f)
				do(t, err)
				if !state.Final() {
					t.Errorf("%s: a call is left %s", what, state)
				}
			}
		}
		trips("any", 2, runnel.NewBatch(o.task, 2, runnel.AnyFailed()), "a", "bad", "b", "c")
		trips("count", 4, runnel.NewBatch(o.task, 4, runnel.FailedCount(2)), "bad1", "a", "bad2", "b", "c")
		trips("the last batch", 3, runnel.NewBatch(o.task, 2, runnel.AnyFailed()), "a", "b", "bad")
		trips("rate", 3, runnel.NewBatch(o.task, 3, runnel.FailureRate(3, 0.5)), "bad1", "bad2", "a", "b")
		trips("in flight", 2, runnel.NewBatch(o.task, 2, runnel.AnyFailed()).Sliding(), "hang", "bad")
		_, err = runnel.NewBatch(o.task, 2, runnel.AnyFailed()).Sliding().Map(f, []string{"a", "hang", "bad", "b"}, runnel.Unmapped(""))
		isLike(t, err, runnel.ErrKillSwitch, "at 1 failed of 2 ended: of 3 calls made 1 completed, 1 failed, 1 cancelled, 0 never ran")
		own := runnel.Switch("second", func() func(api.State) bool {
			n := 0
			return func(api.State) bool { n++; return n == 2 }
		})
		trips("own", 2, runnel.NewBatch(o.task, 1, own), "a", "b", "c")

		quiet := runnel.NewBatch(o.task, 2, runnel.FailedCount(2))
		for range 2 { // counts are those of one Map
			futures, err := quiet.Map(f, []string{"a", "bad", "b"}, runnel.Unmapped(""))
			do(t, err)
			out, err := futures.Outcomes(f)
			do(t, err)
			wants(t, "one failure", out[1].Failure != nil && out[0].Failure == nil && out[2].Value == "b", true)
		}
		bad := s.fail.Submit(f, "up")
		skipped, err := runnel.NewBatch(s.add, 1, runnel.AnyFailed()).Map(f, []*runnel.Future[int]{bad}, runnel.Unmapped(1))
		do(t, err)
		state, err := skipped.List()[0].State(f)
		do(t, err)
		wants(t, "one that was not ready ends the wait", state, api.Skipped)
		for what, batch := range map[string]runnel.Batch2[string, string, string]{
			"size 0": runnel.NewBatch(o.task, 0), "count 0": runnel.NewBatch(o.task, 1, runnel.FailedCount(0)),
			"rate 2": runnel.NewBatch(o.task, 1, runnel.FailureRate(1, 2)), "nil": runnel.NewBatch(o.task, 1, nil),
			"nil switch": runnel.NewBatch(o.task, 1, runnel.Switch("x", nil)),
		} {
			if _, err := batch.Map(f, []string{"a"}, []string{"b"}); !errors.Is(err, runnel.ErrInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}, o.task)
}

// batching are killable tasks and a flow that maps the first of them.
func batching(batch func(runnel.Task1[string, string]) runnel.Batch1[string, string]) func(s *cacheSuite) []runnel.AnyTask {
	return func(s *cacheSuite) []runnel.AnyTask {
		all := killable(s)
		return append(all, runnel.NewFlow1("load", func(f runnel.Flow, names []string) (int, error) {
			futures, err := batch(all[0].(runnel.Task1[string, string])).Map(f, names)
			return len(futures.List()), err
		}))
	}
}

func batchSubmit(t *testing.T, s *cacheSuite, names string) *runnel.Run[int] {
	t.Helper()
	run, err := s.eng.Submit(t.Context(), s.all[3].(runnel.Task1[[]string, int]).Send(strings.Fields(names)))
	do(t, err)
	return run
}

// What completed counts as such again, what failed is counted anew.
func TestBatchAfterRetry(t *testing.T) {
	cached(t, "retry", batching(func(try runnel.Task1[string, string]) runnel.Batch1[string, string] {
		return runnel.NewBatch(try, 1, runnel.FailureRate(3, 0.5))
	}), func(t *testing.T, s *cacheSuite) {
		run := batchSubmit(t, s, "a b bad1 bad2 c d")
		_, err := run.Wait(t.Context())
		isLike(t, err, runnel.ErrKillSwitch, "at 2 failed of 4", "of 4 calls made 2 completed, 2 failed")
		do(t, run.Retry(t.Context()))
		_, err = run.Wait(t.Context())
		isLike(t, err, runnel.ErrKillSwitch, "at 2 failed of 4", "of 4 calls made 2 completed, 2 failed")
		s.ran(t, "try", 6)
	})
}

// A Switch remembers how calls ended, in order: after a restart it is told so
// again, in the same order, which is not that of the calls.
func TestSwitchAfterRestart(t *testing.T) {
	s := &cacheSuite{dsn: dsnOf(t, "sqlite"), runs: map[string]int{}}
	unlucky := runnel.Switch("unlucky", func() func(api.State) bool { // three in a row
		row := 0
		return func(state api.State) bool {
			if row++; state == api.Completed {
				row = 0
			}
			return row == 3
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s.all = batching(func(try runnel.Task1[string, string]) runnel.Batch1[string, string] {
			return runnel.NewBatch(try, 2, unlucky).Sliding()
		})(s)
		s.open(t)
		defer func() { do(t, s.eng.Close(context.WithoutCancel(t.Context()))) }()
		id := batchSubmit(t, s, "bad1m a bad2m bad3h").ID()
		do(t, pause(t.Context(), 2*time.Minute)) // the last one is in flight
		interrupt(t, s.eng)
		s.open(t)
		run, err := s.eng.Attach[int](t.Context(), id)
		do(t, err)
		_, err = run.Wait(t.Context())
		isLike(t, err, runnel.ErrKillSwitch, "unlucky tripped at 3 failed of 4", "of 4 calls made 1 completed, 3 failed")
		s.ran(t, "try", 5) // the last one in both lives
	})
}
