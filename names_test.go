package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// rows gives the task runs of a run by name, which must not be there twice.
func (h *heard) rows(t *testing.T, run string) map[string]api.TaskRun {
	t.Helper()
	rows := map[string]api.TaskRun{}
	for row, err := range h.eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run}) {
		do(t, err)
		if _, twice := rows[row.Name]; twice {
			t.Errorf("two task runs are named %s", row.Name)
		}
		rows[row.Name] = row
	}
	return rows
}

// ups names the upstream of each row, as in "add-0 COMPLETED".
func ups(rows map[string]api.TaskRun) map[string]string {
	names := map[string]string{"": "pipeline"}
	for name, row := range rows {
		names[row.ID] = name
	}
	out := map[string]string{}
	for name, row := range rows {
		for _, up := range row.Upstream {
			out[name] = strings.TrimSpace(out[name] + " " + names[up.TaskRun] + " " + up.State.String())
		}
	}
	return out
}

// numbers are the tasks of the tests of names.
type numbers struct {
	add   runnel.Task2[int, int, int]
	fail  runnel.Task1[int, int]
	mend  runnel.Task1[*runnel.Failure, int]
	total runnel.Task1[[]int, int]
	seen  runnel.Task1[int, api.TaskRun]
}

func newNumbers() numbers {
	return numbers{
		add:  runnel.NewTask2("add", func(_ context.Context, a, b int) (int, error) { return a + b, nil }),
		fail: runnel.NewTask1("fail", func(context.Context, int) (int, error) { return 0, errDeclined }),
		mend: runnel.NewTask1("mend", func(context.Context, *runnel.Failure) (int, error) { return 1, nil }),
		total: runnel.NewTask1("total", func(_ context.Context, xs []int) (n int, err error) {
			for _, x := range xs {
				n += x
			}
			return n, nil
		}),
		seen: runnel.NewTask1("seen", func(ctx context.Context, _ int) (api.TaskRun, error) { return runnel.TaskRun(ctx), nil }),
	}
}

func (n *numbers) all(more ...runnel.AnyTask) []runnel.AnyTask {
	return append([]runnel.AnyTask{n.add, n.fail, n.mend, n.total, n.seen}, more...)
}

func TestNamesAndUpstreamOfPipelines(t *testing.T) {
	hearing(t, stores, func(t *testing.T, h *heard) {
		n := newNumbers()
		h.open(t, n.all()...)
		chain := n.add.Send(1, 2).ContinueWith(n.add.WithOptions(runnel.Name("mine")).With(1)).ContinueWith(n.fail).Exceptionally(n.mend).
			ContinueWith(runnel.Fan([]runnel.Step[int, int]{n.add.With(1).ContinueWith(n.add.With(2)), n.add.With(3)})).ContinueWith(n.total)
		run, err := h.eng.Submit(t.Context(), chain)
		do(t, err)
		_, err = run.Wait(t.Context())
		do(t, err)
		rows := h.rows(t, run.ID())
		wants(t, "upstream", ups(rows), map[string]string{
			"mine": "add-0 COMPLETED", "fail-2": "mine COMPLETED", "mend-3": "fail-2 FAILED",
			"add-7": "add-6 COMPLETED", // total is given a group's results
		})
		wants(t, "task of another name", rows["mine"].Task, "add")
		seen, err := h.eng.Run(t.Context(), n.add.Send(1, 1).ContinueWith(n.seen))
		do(t, err)
		wants(t, "what the body sees", seen.Name+" "+fmt.Sprint(len(seen.Upstream)), "seen-1 1")
	})
}

func TestConformanceNames(t *testing.T) {
	inFlow := func(t *testing.T, number string, body func(f runnel.Flow, n *numbers), check func(t *testing.T, h *heard, rows map[string]api.TaskRun)) {
		t.Helper()
		t.Run(number, func(t *testing.T) {
			hearing(t, stores, func(t *testing.T, h *heard) {
				n := newNumbers()
				sub := runnel.NewFlow1("sub", func(f runnel.Flow, x int) (int, error) { return n.add.Call(f, x, 1) })
				flow := runnel.NewFlow0("flow", func(f runnel.Flow) (int, error) {
					body(f, &n)
					return sub.Call(f, 1)
				})
				h.open(t, n.all(flow, sub)...)
				run, err := h.eng.Submit(t.Context(), flow.Send())
				do(t, err)
				ends(t, 2, run)
				rows := map[string]api.TaskRun{}
				for row, err := range h.eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID()}) {
					do(t, err)
					if _, there := rows[row.Name]; !there { // the subflow has an add-0 too
						rows[row.Name] = row
					}
				}
				check(t, h, rows)
			})
		})
	}
	inFlow(t, "task-case-06", func(f runnel.Flow, n *numbers) {
		_, _ = n.add.Call(f, 1, 1)
		_, _ = n.add.Call(f, 1, 1)
	}, func(t *testing.T, _ *heard, rows map[string]api.TaskRun) {
		for name, task := range map[string]string{"flow-0": "flow", "add-0": "add", "add-1": "add", "sub-0": "sub"} {
			wants(t, "task of "+name, rows[name].Task, task)
		}
	})
	inFlow(t, "task-case-18", func(f runnel.Flow, n *numbers) { _, _ = n.add.Call(f, 1, 1) },
		func(t *testing.T, _ *heard, rows map[string]api.TaskRun) {
			wants(t, "upstream", len(rows["add-0"].Upstream), 0)
		})
	inFlow(t, "task-case-21", func(f runnel.Flow, n *numbers) {
		a, b, c := n.add.Submit(f, 1, 1), n.fail.Submit(f, 1), n.add.Submit(f, 2, 2)
		p := n.add.Send(1, 1).ContinueWith(n.add.With(1)).Submit(f)
		_ = runnel.WaitAll(f, a, b, c, p)
		_, _ = n.add.Bind(c, runnel.Value(1)).Call(f, runnel.Name("last"), runnel.WaitFor(a, runnel.AllowFailure[int](b), p))
		_, _ = n.add.Bind(c, b).Call(f)
	}, func(t *testing.T, _ *heard, rows map[string]api.TaskRun) {
		got := ups(rows)
		wants(t, "upstream", got["last"], "add-1 COMPLETED add-0 COMPLETED fail-0 FAILED pipeline COMPLETED")
		skipped := rows["add-4"]
		wants(t, "state of one that is not ready", skipped.State, api.Skipped)
		wants(t, "upstream of one that is not ready", got["add-4"], "add-1 COMPLETED fail-0 FAILED")
	})
	inFlow(t, "task-case-22", func(f runnel.Flow, n *numbers) {
		other := n.add.WithOptions(runnel.Name("other"), runnel.Tags("x"))
		_, _ = other.Call(f, 1, 1)
		_, _ = n.add.Call(f, 1, 1)
	}, func(t *testing.T, _ *heard, rows map[string]api.TaskRun) {
		wants(t, "tags of the copy", rows["other"].Tags, []string{"x"})
		wants(t, "tags of the original", len(rows["add-1"].Tags), 0)
	})
	inFlow(t, "task-case-93", func(f runnel.Flow, n *numbers) { _, _ = n.add.Call(f, 1, 1) },
		func(t *testing.T, _ *heard, rows map[string]api.TaskRun) {
			wants(t, "attempts", rows["add-0"].Attempt, 1)
		})
}

// Attempts within one microsecond have a history in order all the same.
func TestConformanceHistoryTimes(t *testing.T) {
	t.Run("task-case-94", func(t *testing.T) {
		hearing(t, stores, func(t *testing.T, h *heard) {
			task := runnel.NewTask0("t", func(ctx context.Context) (int, error) {
				if runnel.TaskRun(ctx).Attempt < 4 {
					return 0, errDeclined
				}
				return 1, nil
			}, runnel.Retries(3))
			h.open(t, task)
			run, err := h.eng.Submit(t.Context(), task.Send())
			do(t, err)
			ends(t, 1, run)
			row := h.rows(t, run.ID())["t-0"]
			var got []string
			for i, tr := range row.History {
				got = append(got, fmt.Sprint(tr.Name, " ", tr.Attempt))
				if want := row.Started.Add(time.Duration(i) * time.Microsecond); !tr.Time.Equal(want) {
					t.Errorf("%s is at %s, want %s", got[i], tr.Time, want)
				}
			}
			wants(t, "history", got, []string{
				"Running 1", "AwaitingRetry 1", "Retrying 2", "AwaitingRetry 2", "Retrying 3", "AwaitingRetry 3", "Retrying 4", "Completed 4",
			})
		})
	})
}

func TestConformanceRunNames(t *testing.T) {
	t.Run("task-case-24", func(t *testing.T) {
		hearing(t, stores, func(t *testing.T, h *heard) {
			var asked atomic.Int64
			greet := runnel.NewTask2("greet", func(ctx context.Context, who string, n int) (string, error) {
				if n == 2 && runnel.TaskRun(ctx).Attempt == 1 {
					return "", errDeclined
				}
				return runnel.TaskRun(ctx).Name, nil
			}, runnel.Retries(1), runnel.Tags("t"), runnel.RunName(func(c runnel.CallFacts) (string, error) {
				asked.Add(1)
				who, err := c.Arg[string](0)
				n, err2 := c.Arg[int](1)
				_, missing := c.Arg[int](2)
				_, kind := c.Arg[int](0)
				if !errors.Is(missing, runnel.ErrInvalid) || !errors.Is(kind, runnel.ErrEncoding) ||
					c.Task != "greet" || !slices.Equal(c.Tags, []string{"t"}) || !strings.HasPrefix(c.TaskRun, c.Run+"/") {
					return "", fmt.Errorf("%+v %w %w", c, missing, kind)
				}
				switch n {
				case 3:
					return "unused", errDeclined
				case 4:
					panic("no")
				case 5:
					return "", nil
				}
				return fmt.Sprint(who, "/", n), errors.Join(err, err2)
			}))
			flow := runnel.NewFlow0("flow", func(f runnel.Flow) (string, error) {
				a, err := greet.Call(f, "ada", 1)
				b, err2 := greet.Call(f, "ada", 3)
				c, err3 := greet.Call(f, "ada", 1, runnel.Name("one"))
				return a + " " + b + " " + c, errors.Join(err, err2, err3)
			})
			h.open(t, greet, flow)
			for n, want := range []string{"bo/0", "bo/1", "bo/2", "greet-0", "greet-0", "greet-0"} {
				asked.Store(0)
				run, err := h.eng.Submit(t.Context(), greet.Send("bo", n))
				do(t, err)
				ends(t, want, run)
				wants(t, "asked", asked.Load(), 1)
				wants(t, "stored", h.rows(t, run.ID())[want].Seq, 0)
				warned := texts(logged(t, h.eng, api.LogFilter{Run: run.ID()}))
				wants(t, "warned", strings.Contains(warned, "the run name hook failed"), n > 2)
			}
			asked.Store(0)
			run, err := h.eng.Submit(t.Context(), greet.Send("bo", 1).Set(runnel.Name("mine")))
			do(t, err)
			ends(t, "mine", run)
			wants(t, "asked", asked.Load(), 0)
			run, err = h.eng.Submit(t.Context(), flow.Send())
			do(t, err)
			ends(t, "ada/1 greet-1 one", run)
			rows := h.rows(t, run.ID())
			for _, name := range []string{"ada/1", "greet-1", "one", "flow-0"} {
				if rows[name].ID == "" {
					t.Errorf("nothing is named %s among %v", name, rows)
				}
			}
		})
		both := runnel.NewTask0("t", func(context.Context) (int, error) { return 1, nil }, runnel.Name("a"),
			runnel.RunName(func(runnel.CallFacts) (string, error) { return "b", nil }))
		isLike(t, both.Err(), runnel.ErrInvalid, "Name and RunName")
	})
}

// What is stored of a task run that was in progress is there after a restart: its
// name, which is not asked for again, and what it depends on.
func TestNamesAfterRestart(t *testing.T) {
	t.Run("task-case-25", func(t *testing.T) {
		hearing(t, []string{"sqlite"}, func(t *testing.T, h *heard) {
			lives := 0
			var asked atomic.Int64
			n := newNumbers()
			slow := runnel.NewTask1("slow", func(ctx context.Context, x int) (string, error) {
				if lives == 0 {
					<-ctx.Done()
					return "", ctx.Err()
				}
				run := runnel.TaskRun(ctx)
				return fmt.Sprint(run.Name, " ", len(run.Upstream), " ", run.ID), nil
			}, runnel.RunName(func(runnel.CallFacts) (string, error) {
				asked.Add(1)
				return "asked", nil
			}))
			sub := runnel.NewFlow1("sub", func(f runnel.Flow, x int) (string, error) { return slow.Call(f, x) })
			flow := runnel.NewFlow0("flow", func(f runnel.Flow) (string, error) {
				a := n.add.Submit(f, 1, 1)
				return slow.Bind(a).Call(f)
			})
			outer := runnel.NewFlow0("outer", func(f runnel.Flow) (string, error) { return sub.Call(f, 1) })
			h.open(t, n.all(slow, sub, flow, outer)...)
			run, err := h.eng.Submit(t.Context(), flow.Send())
			do(t, err)
			below, err := h.eng.Submit(t.Context(), n.add.Send(1, 1).ContinueWith(slow))
			do(t, err)
			deep, err := h.eng.Submit(t.Context(), outer.Send())
			do(t, err)
			hours(1) // they are recorded as RUNNING
			id := h.rows(t, run.ID())["asked"].ID
			wants(t, "upstream while it runs", ups(h.rows(t, run.ID()))["asked"], "add-0 COMPLETED")
			wants(t, "upstream while it runs", ups(h.rows(t, below.ID()))["asked"], "add-0 COMPLETED")
			interrupt(t, h.eng)
			lives++
			h.open(t, n.all(slow, sub, flow, outer)...)
			wants(t, "asked", asked.Load(), 3)
			for _, c := range []struct{ run, want string }{{run.ID(), "asked 1 " + id}, {below.ID(), "asked 1 " + below.ID() + "/1"}, {deep.ID(), "asked 0 " + h.rows(t, deep.ID())["asked"].ID}} {
				again, err := h.eng.Attach[string](t.Context(), c.run)
				do(t, err)
				got, err := again.Wait(t.Context())
				do(t, err)
				wants(t, "after the restart", got, c.want)
			}
			wants(t, "asked again", asked.Load(), 3)
			wants(t, "subflow", h.rows(t, deep.ID())["sub-0"].State, api.Completed)
		})
	})
}

func TestTasks(t *testing.T) {
	h := &heard{dsn: "memory:"}
	none := func(context.Context) (runnel.None, error) { return runnel.None{}, nil }
	a := runnel.NewTask3("a", func(_ context.Context, _ int, _ []string, _ map[string]bool) (float64, error) { return 0, nil },
		runnel.Description("does this and that"), runnel.Tags("y", "x"), runnel.Retries(2), runnel.Timeout(time.Minute))
	b := runnel.NewFlow0("b", func(runnel.Flow) (string, error) { return "", nil })
	c := runnel.NewOrchestrator1("c", func(context.Context, any) (runnel.Runnable[bool], error) { return runnel.Value(true), nil })
	e := runnel.NewTask1("e", func(_ context.Context, x int) (int, error) { return x, nil })
	d := runnel.Combine("d", e, e)
	h.open(t, e, d, c, b, a, runnel.NewTask0("f", none))
	var got []string
	keys := map[string]bool{}
	for _, info := range h.eng.Tasks() {
		got = append(got, fmt.Sprint(info.Name, " ", info.Kind, " ", info.Params, " ", info.Result, " ", info.Description, info.Options.Tags))
		wants(t, "package", info.Package, "github.com/runnel-dev/runnel_test")
		keys[info.Key] = true
	}
	wants(t, "tasks", got, []string{
		"a task [integer array object] number does this and that[x y]", "b flow [] string []", "c orchestrator [any] boolean []",
		"d combined [integer] integer []", "e task [integer] integer []", "f task [] none []",
	})
	first := h.eng.Tasks()[0]
	wants(t, "keys", len(keys), 6)
	wants(t, "retries", first.Options.Retry.Max, 2)
	wants(t, "timeout", first.Options.Timeout, api.Duration(time.Minute))
	// The key is the same wherever and whenever the program is built.
	wants(t, "key", first.Key, "23d6dca7793699e590723e3f41fbafc8")
	first.Options.Retry.Max, first.Options.Tags[0] = 9, "z"
	wants(t, "retries of another listing", h.eng.Tasks()[0].Options.Retry.Max, 2)
	other := &heard{dsn: "memory:"}
	other.open(t, runnel.NewTask0("a", none, runnel.Tags("x")), runnel.NewTask0("b", none))
	if now := other.eng.Tasks(); now[0].Key == first.Key || !keys[now[1].Key] {
		t.Error("a key does not follow from name, package and tags alone")
	}
}

// A run that takes its result from the cache has completed, and has a name.
func TestCachedRunsAreNamedAndTold(t *testing.T) {
	hearing(t, stores, func(t *testing.T, h *heard) {
		asked := 0
		task := runnel.NewTask1("t", func(_ context.Context, x int) (int, error) { return x, nil },
			append(h.all(), runnel.CacheKey(runnel.InputHash), runnel.RunName(func(c runnel.CallFacts) (string, error) {
				asked++
				x, err := c.Arg[int](0)
				return fmt.Sprint("t of ", x), err
			}))...)
		h.open(t, task)
		for _, want := range [][]string{{"running t #1 Running", "completion t #1 Completed7"}, {"completion t #1 Cached7"}} {
			asked = 0
			run, err := h.eng.Submit(t.Context(), task.Send(7))
			do(t, err)
			ends(t, 7, run)
			h.wants(t, want...)
			wants(t, "asked", asked, 1)
			wants(t, "state", h.rows(t, run.ID())["t of 7"].State, api.Completed)
		}
	})
}
