package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runnel-dev/runnel"
)

// workloads lists the measurements, each after its ceiling. In quick ones n is
// a tenth.
func workloads(quick bool, runs int) []*workload {
	var all []*workload
	add := func(store, name string, n int, do func(context.Context, *meter) error, ceiling string) string {
		if quick {
			n = max(n/10, 30)
		}
		w := &workload{name: name, store: store, n: n, runs: runs, ceiling: ceiling, do: do}
		all = append(all, w)
		return w.id()
	}
	add("sqlite", "W0", 300, bareCommit, "")
	two := add("sqlite", "W4-ceiling", 300, ceilingOneByOne, "")
	add("sqlite", "W4", 300, oneByOne, two)
	for _, store := range []string{"sqlite", "memory"} {
		runs := add(store, "W1-ceiling", 100_000, ceilingRuns, "")
		add(store, "W1-bulk", 100_000, bulk, runs)
		add(store, "W1-256", 100_000, from256, runs)
	}
	steps := add("sqlite", "W2-ceiling", 100_000, ceilingSteps, "")
	add("sqlite", "W2-1000", 100_000, chains(1000), steps)
	add("sqlite", "W2-20", 2000, chains(20), steps)
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		children := add("sqlite", "W3-ceiling", n, ceilingChildren, "")
		add("sqlite", "W3-finished", n, finishedChildren, "")
		add("sqlite", "W3-each", n, each, children)
		if n == 100_000 {
			add("sqlite", "W3-parallel", n, parallel, children)
		}
		if n == 1_000_000 {
			add("sqlite", "W3-beside", n, beside, children)
		}
	}
	add("sqlite", "W5-calls", 10_000, flowCalls, "")
	add("sqlite", "W5-submits", 10_000, flowSubmits, "")
	ten := add("sqlite", "W6-parallelism", 10_000, bounded(inc, runnel.MaxParallelism(10)), "")
	add("sqlite", "W6-tag", 10_000, bounded(limited), ten)
	add("sqlite", "W6-handover", 300, handOver, "")
	add("sqlite", "W7-each", 100_000, hits(func(n int) runnel.Pipeline[int] {
		return numbers.Send(n).ContinueWith(runnel.Each(kept)).ContinueWith(sum)
	}), "")
	add("sqlite", "W7-submits", 100_000, hits(func(n int) runnel.Pipeline[int] { return keeper.Send(n) }), "")
	for _, n := range []int{1000, 10_000, 100_000} {
		add("sqlite", "count_to", n, recursion, "")
	}
	all[len(all)-1].runs = min(runs, 3) // a minute each
	if os.Getenv(server) != "" {
		onPostgres(add)
	}
	return all
}

// The tasks: next to nothing, so that what is measured is the engine.
var (
	inc     = runnel.NewTask1("inc", func(_ context.Context, x int) (int, error) { return x + 1, nil })
	numbers = runnel.NewTask1("numbers", func(_ context.Context, n int) ([]int, error) {
		xs := make([]int, n)
		for i := range xs {
			xs[i] = i
		}
		return xs, nil
	})
	sum = runnel.NewTask1("sum", func(_ context.Context, xs []int) (int, error) {
		total := 0
		for _, x := range xs {
			total += x
		}
		return total, nil
	})
	add = runnel.NewTask2("add", func(_ context.Context, x, y int) (int, error) { return x + y, nil })
	// Flows that call inc n times: one after the other, or all and then wait.
	caller = runnel.NewFlow1("caller", func(f runnel.Flow, n int) (x int, err error) {
		for range n {
			if x, err = inc.Call(f, x); err != nil {
				return 0, err
			}
		}
		return x, nil
	})
	submitter = runnel.NewFlow1("submitter", func(f runnel.Flow, n int) (int, error) {
		return submitted(f, inc, n)
	})
	countRef = runnel.Ref2[int, int, int]("count_to")
	countTo  = runnel.NewOrchestrator2("count_to", func(_ context.Context, x, n int) (runnel.Runnable[int], error) {
		return add.Send(x, 1).ContinueWith(check.With(n)), nil
	})
	check = runnel.NewOrchestrator2("check", func(_ context.Context, x, n int) (runnel.Runnable[int], error) {
		if x == n {
			return runnel.Value(x), nil
		}
		return countRef.Send(x, n), nil
	})
)

// What comes before a measurement, so that a short one does not measure how a
// process starts: so many tasks one after the other, or children of one fan-out.
const (
	warmUp     = 100
	warmUpEach = 10_000
)

// warmed measures do for n numbers, after so many that are not counted.
func warmed(m *meter, before int, do func(i int) error) error {
	for i := range before {
		if err := do(i); err != nil {
			return err
		}
	}
	m.latencies = m.latencies[:0]
	return timed(m, func() error {
		for i := range m.w.n {
			if err := do(before + i); err != nil {
				return err
			}
		}
		return nil
	})
}

// timed measures f.
func timed(m *meter, f func() error) error {
	if err := m.start(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return m.stop()
}

// bulk is W1 with SubmitAll: n runs of one task.
func bulk(ctx context.Context, m *meter) error {
	return withEngine(ctx, m, func(eng *runnel.Engine) error {
		return timed(m, func() error { return submitAll(ctx, eng, m.w.n) })
	})
}

func submitAll(ctx context.Context, eng *runnel.Engine, n int) error {
	runs, err := eng.SubmitAll(ctx, single(inc, n))
	if err != nil {
		return err
	}
	for i, run := range runs {
		got, err := run.Wait(ctx)
		if err := expect(got, i+1, err); err != nil {
			return err
		}
	}
	return nil
}

func single(task runnel.Task1[int, int], n int) iter.Seq[runnel.Runnable[int]] {
	return func(yield func(runnel.Runnable[int]) bool) {
		for i := range n {
			if !yield(task.Send(i)) {
				return
			}
		}
	}
}

// from256 is W1 from 256 goroutines, each of which waits for its task.
func from256(ctx context.Context, m *meter) error {
	return withEngine(ctx, m, func(eng *runnel.Engine) error {
		const callers = 256
		var next atomic.Int64
		laps := make([][]time.Duration, callers)
		errs := make([]error, callers)
		return timed(m, func() error {
			var all sync.WaitGroup
			for c := range callers {
				all.Go(func() {
					for errs[c] == nil {
						i := int(next.Add(1)) - 1
						if i >= m.w.n {
							return
						}
						began := time.Now()
						got, err := eng.Run(ctx, inc.Send(i))
						errs[c] = expect(got, i+1, err)
						laps[c] = append(laps[c], time.Since(began))
					}
				})
			}
			all.Wait()
			for _, own := range laps {
				m.latencies = append(m.latencies, own...)
			}
			return errors.Join(errs...)
		})
	})
}

// oneByOne is W4: one task after the other, each from submitting to its result.
func oneByOne(ctx context.Context, m *meter) error {
	return withEngine(ctx, m, func(eng *runnel.Engine) error {
		return warmed(m, warmUp, func(i int) error { return lap(ctx, m, eng, i) })
	})
}

// laps runs single tasks as long as more says so.
func laps(ctx context.Context, m *meter, eng *runnel.Engine, more func(i int) bool) error {
	for i := 0; more(i); i++ {
		if err := lap(ctx, m, eng, i); err != nil {
			return err
		}
	}
	return nil
}

// lap runs a single task.
func lap(ctx context.Context, m *meter, eng *runnel.Engine, i int) error {
	began := time.Now()
	got, err := eng.Run(ctx, inc.Send(i))
	m.lap(time.Since(began))
	return expect(got, i+1, err)
}

// chains is W2: 100 pipelines of so many steps.
func chains(steps int) func(ctx context.Context, m *meter) error {
	return func(ctx context.Context, m *meter) error {
		return withEngine(ctx, m, func(eng *runnel.Engine) error {
			p := inc.Send(0)
			for range steps - 1 {
				p = p.ContinueWith(inc)
			}
			count := m.w.n / steps
			return timed(m, func() error {
				runs, err := eng.SubmitAll(ctx, func(yield func(runnel.Runnable[int]) bool) {
					for range count {
						if !yield(p) {
							return
						}
					}
				})
				if err != nil {
					return err
				}
				for _, run := range runs {
					got, err := run.Wait(ctx)
					if err := expect(got, steps, err); err != nil {
						return err
					}
				}
				m.w.n = count * steps
				return nil
			})
		})
	}
}

// each is W3 with Each: makes n numbers, runs a task for each, and sums up.
func each(ctx context.Context, m *meter) error {
	return withEngine(ctx, m, func(eng *runnel.Engine) error {
		run := func(n int) error {
			got, err := eng.Run(ctx, numbers.Send(n).ContinueWith(runnel.Each(inc)).ContinueWith(sum))
			return expect(got, n*(n+1)/2, err)
		}
		if err := run(warmUpEach); err != nil {
			return err
		}
		return timed(m, func() error { return run(m.w.n) })
	})
}

// parallel is W3 with InParallel: the children are in the pipeline.
func parallel(ctx context.Context, m *meter) error {
	return withEngine(ctx, m, func(eng *runnel.Engine) error {
		return timed(m, func() error {
			children := make([]runnel.Pipeline[int], m.w.n)
			for i := range children {
				children[i] = inc.Send(i)
			}
			got, err := eng.Run(ctx, runnel.InParallel(children).ContinueWith(sum))
			return expect(got, m.w.n*(m.w.n+1)/2, err)
		})
	})
}

// beside runs single tasks, one after the other, from the first child of a
// fan-out to its last. Rate and CPU are the fan-out's, the latencies those of
// the single tasks.
func beside(ctx context.Context, m *meter) error {
	return withEngine(ctx, m, func(eng *runnel.Engine) error {
		return timed(m, func() error {
			children.Store(0)
			p := numbers.Send(m.w.n).ContinueWith(runnel.Each(counted)).ContinueWith(sum)
			run, err := eng.Submit(ctx, p)
			if err != nil {
				return err
			}
			failed := make(chan error, 1)
			go func() {
				_, err := run.Wait(ctx)
				failed <- err
			}()
			select {
			case <-firstChild:
			case err := <-failed: // before it had a child
				return errors.Join(errors.New("the run has ended without a child"), err)
			}
			err = laps(ctx, m, eng, func(int) bool { return children.Load() < int64(m.w.n) })
			got, wrong := run.Wait(ctx)
			return errors.Join(err, expect(got, m.w.n*(m.w.n+1)/2, wrong))
		})
	})
}

// What the children of beside have come to.
var (
	children   atomic.Int64
	firstChild = make(chan struct{}, 1)
	counted    = runnel.NewTask1("counted", func(_ context.Context, x int) (int, error) {
		if children.Add(1) == 1 {
			firstChild <- struct{}{}
		}
		return x + 1, nil
	})
)

// submitted submits n calls, and adds up what they give.
func submitted(f runnel.Flow, task runnel.Task1[int, int], n int) (total int, err error) {
	futures := make([]*runnel.Future[int], n)
	for i := range futures {
		futures[i] = task.Submit(f, i)
	}
	for _, future := range futures {
		x, err := future.Result(f)
		if err != nil {
			return 0, err
		}
		total += x
	}
	return total, nil
}

// flowCalls is W5 one after the other: a flow calls a task n times.
func flowCalls(ctx context.Context, m *meter) error {
	return inFlow(ctx, m, caller, func(n int) int { return n })
}

// flowSubmits is W5 all at once: a flow submits n calls, then waits for them.
func flowSubmits(ctx context.Context, m *meter) error {
	return inFlow(ctx, m, submitter, func(n int) int { return n * (n + 1) / 2 })
}

func inFlow(ctx context.Context, m *meter, flow runnel.Task1[int, int], want func(n int) int) error {
	return withEngine(ctx, m, func(eng *runnel.Engine) error {
		run := func(n int) error {
			got, err := eng.Run(ctx, flow.Send(n))
			return expect(got, want(n), err)
		}
		if err := run(10 * warmUp); err != nil {
			return err
		}
		return timed(m, func() error { return run(m.w.n) })
	})
}

// recursion counts to n: each round is a pipeline that an orchestrator returned.
func recursion(ctx context.Context, m *meter) error {
	return withEngine(ctx, m, func(eng *runnel.Engine) error {
		return timed(m, func() error {
			got, err := eng.Run(ctx, countTo.Send(0, m.w.n))
			return expect(got, m.w.n, err)
		})
	})
}

func expect(got, want int, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("got %d, want %d", got, want)
	}
	return err
}
