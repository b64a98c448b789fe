package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func TestConformQueries(t *testing.T) {
	const unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
	bubbled(t, "A01", func(t *testing.T, s *suite) {
		_, err := s.eng.Attach[int](t.Context(), unknown)
		matches(t, err, runnel.ErrNotFound)
	})
	bubbled(t, "A02", func(t *testing.T, s *suite) {
		is(t, api.Completed, s.submit(t, s.hi.Send("J", "D")))
		is(t, api.Failed, s.submit(t, fails[int]("m")))
		is(t, api.Failed, s.submit(t, fails[int]("m").FinallyDo(s.note.Send("fin"))))
		is(t, api.Completed, s.submit(t, empty()))
	})
	bubbled(t, "A03", func(t *testing.T, s *suite) {
		p := runnel.InParallel(runnel.List(s.hi.Send("J", "D"), s.hi.Send("S", "D"))).ContinueWith(s.join).FinallyDo(s.note.Send("fin"))
		want, err := json.Marshal(p)
		do(t, err)
		run := s.submit(t, p)
		for range 2 { // while it runs, and when it is done
			got, err := run.Request(t.Context())
			do(t, err)
			wants(t, "request", string(got), string(want))
			ends(t, "H J D;H S D", run)
		}
	})
	bubbled(t, "A04", func(t *testing.T, s *suite) {
		run := s.submit(t, s.hi.Send("J", "D"))
		ends(t, "H J D", run)
		wrong := run.ID()[:len(run.ID())-1] + string('0'+(run.ID()[len(run.ID())-1]+1)%8) // the same number, not the same id
		for _, id := range []string{unknown, wrong, "x"} {
			_, err := s.eng.Attach[int](t.Context(), id)
			matches(t, err, runnel.ErrNotFound)
			for _, err := range s.eng.Logs(t.Context(), api.LogFilter{Run: id}) {
				matches(t, err, runnel.ErrNotFound)
			}
			for _, err := range s.eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: id}) {
				matches(t, err, runnel.ErrNotFound)
			}
		}
	})
	bubbled(t, "A05", func(t *testing.T, s *suite) {
		run := s.submit(t, s.hi.Send("J", "D"))
		ends(t, "H J D", run)
		again, err := s.eng.Attach[string](t.Context(), run.ID())
		do(t, err)
		got, err := again.Result(t.Context())
		do(t, err)
		wants(t, "result", got, "H J D")
		other, err := s.eng.Attach[int](t.Context(), run.ID())
		do(t, err)
		_, err = other.Result(t.Context())
		matches(t, err, runnel.ErrEncoding)
	})
	bubbled(t, "A06", func(t *testing.T, s *suite) {
		run := s.submit(t, fails[int]("m"))
		f := endsBadly(t, run)
		again, err := s.eng.Attach[int](t.Context(), run.ID())
		do(t, err)
		_, err = again.Result(t.Context())
		var stored *runnel.Failure
		if !errors.As(err, &stored) {
			t.Fatalf("error %v", err)
		}
		wants(t, "stored", *stored, *f)
		says(t, f.TaskRun, run.ID())
		status, err := again.Status(t.Context())
		do(t, err)
		wants(t, "in status", status.Failure.Message, "m")
	})
	bubbled(t, "A07", func(t *testing.T, s *suite) {
		run := s.submit(t, s.slow.Send("k", time.Hour))
		_, err := run.Result(t.Context())
		matches(t, err, runnel.ErrConflict)
		_, err = run.FinalState[int](t.Context())
		matches(t, err, runnel.ErrConflict)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = run.Wait(ctx)
		matches(t, err, context.DeadlineExceeded)
		ends(t, "k", run)
	})
	t.Run("A08", taskQueries)
}

func taskQueries(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		run := s.submit(t, s.hi.Send("J", "D").ContinueWith(s.slow.With(time.Hour)).ContinueWith(failing[string, string]("m")))
		quiet()
		<-time.After(time.Minute)
		tasks := taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})
		wants(t, "task runs", len(tasks), 2)
		wants(t, "states", []api.State{tasks[0].State, tasks[1].State}, []api.State{api.Completed, api.Running})
		wants(t, "result", string(tasks[0].Result), `"H J D"`)
		endsBadly(t, run)
		tasks = taskRuns(t, s, api.TaskRunFilter{Run: run.ID(), States: []api.State{api.Failed}})
		wants(t, "failed", len(tasks), 1)
		wants(t, "message", tasks[0].Failure.Message, "m")
		wants(t, "of a task", len(taskRuns(t, s, api.TaskRunFilter{Run: run.ID(), Task: "slow"})), 1)
		wants(t, "limited", len(taskRuns(t, s, api.TaskRunFilter{Limit: 2})), 2)
		wants(t, "of another", len(taskRuns(t, s, api.TaskRunFilter{Run: run.ID(), Task: "other"})), 0)
	})
}

func TestConformEvents(t *testing.T) {
	bubbled(t, "V01", func(t *testing.T, s *suite) {
		a := s.hi.Send("J", "D")
		run := s.submit(t, runnel.InParallel(runnel.List(a.ContinueWith(s.bye.With("x")), a)))
		request, err := run.Request(t.Context())
		do(t, err)
		var tree struct {
			Steps []struct {
				Children []struct{ Steps []struct{ Task string } }
			}
		}
		do(t, json.Unmarshal(request, &tree))
		wants(t, "groups", len(tree.Steps), 1)
		wants(t, "chains", []int{len(tree.Steps[0].Children[0].Steps), len(tree.Steps[0].Children[1].Steps)}, []int{2, 1})
		ends(t, []string{"H J D/x", "H J D"}, run)
	})
	bubbled(t, "V02", func(t *testing.T, s *suite) {
		run := s.submit(t, s.slow.Send("a", time.Hour).ContinueWith(s.slow.With(time.Hour)))
		is(t, api.Running, run)
		<-time.After(90 * time.Minute)
		is(t, api.Running, run)
		ends(t, "a", run)
		is(t, api.Completed, run)
	})
	bubbled(t, "V03", func(t *testing.T, s *suite) {
		run := s.submit(t, s.hi.Send("J", "D").Exceptionally(s.rec))
		ends(t, "H J D", run)
		wants(t, "task runs", len(taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})), 1)
		wants(t, "called", s.times("rec"), 0)
	})
	bubbled(t, "V04", func(t *testing.T, s *suite) {
		group := runnel.Fan([]runnel.Step[string, string]{s.val.With(), s.val.With()})
		run := s.submit(t, fails[string]("m").ContinueWith(s.val).ContinueWith(group).ContinueWith(s.join).Exceptionally(s.rec))
		ends(t, "E:m", run)
		var names []string
		for _, task := range taskRuns(t, s, api.TaskRunFilter{Run: run.ID()}) {
			names = append(names, task.Task)
		}
		wants(t, "task runs", names, []string{"fail", "rec"})
	})
	t.Run("V05", hooksOfBodies)
}

func hooksOfBodies(t *testing.T) {
	for _, store := range stores {
		dsn := dsnOf(t, store)
		synctest.Test(t, func(t *testing.T) { hooksOn(t, store, dsn) })
	}
}

func hooksOn(t *testing.T, store, dsn string) {
	var mu sync.Mutex
	var log []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, s)
	}
	ended := func(how runnel.Finished) string {
		switch {
		case how.Err != nil:
			return "error " + how.Err.Error()
		case how.Pending:
			return "pending"
		case how.Pipeline:
			return "pipeline"
		}
		return "result " + string(how.Result)
	}
	hooks := []runnel.TaskOption{
		runnel.OnReceived(func(context.Context) error { note("received"); return errors.New("ignored") }),
		runnel.OnStarted(func(context.Context) error { note("started"); return nil }),
		runnel.OnRetry(func(_ context.Context, count int) error { note("retry " + string('0'+rune(count))); return nil }),
		runnel.OnFinished(func(_ context.Context, how runnel.Finished) error { note("finished " + ended(how)); return nil }),
		runnel.OnResult(func(_ context.Context, how runnel.Finished) error { note("out " + ended(how)); panic("ignored") }),
	}
	good := runnel.NewTask0("good", func(context.Context) (int, error) { return 1, nil }, hooks...)
	bad := runnel.NewTask0("bad", func(context.Context) (int, error) { return 0, errors.New("m") }, append(hooks, runnel.Retries(1))...)
	chained := runnel.NewOrchestrator0("chained", func(context.Context) (runnel.Runnable[string], error) {
		return runnel.Ref1[string, string]("val").Send("x"), nil
	}, hooks...)
	waits := runnel.NewTask0("waits", func(context.Context) (int, error) { return 0, runnel.Pending }, append(hooks, runnel.Timeout(time.Second))...)
	aborts := runnel.NewTask0("aborts", func(context.Context) (int, error) { note("body"); return 1, nil },
		runnel.OnStarted(func(context.Context) error { return errors.Join(errors.New("no"), runnel.ErrAbort) }))
	s := opened(t, store, dsn, runnel.Register(good, bad, chained, waits, aborts))
	check := func(want ...string) {
		t.Helper()
		quiet()
		mu.Lock()
		defer mu.Unlock()
		wants(t, "hooks", strings.Join(log, "; "), strings.Join(want, "; "))
		log = nil
	}
	s.gives(t, 1, good.Send())
	check("received", "started", "finished result 1", "out result 1")
	s.fails(t, bad.Send())
	quiet()
	mu.Lock() // the second attempt may begin before the first one's result is told
	for range 2 {
		i := slices.Index(log, "out error m")
		if i < 0 || !slices.Contains(log[:i], "finished error m") {
			t.Fatalf("hooks: got %q", log)
		}
		log = slices.Delete(log, i, i+1)
	}
	mu.Unlock()
	check("received", "started", "finished error m", "received", "started", "retry 1", "finished error m")
	s.gives(t, "V:x", chained.Send())
	check("received", "started", "finished pipeline", "out pipeline")
	matches(t, s.fails(t, waits.Send()), runnel.ErrTimeout)
	check("received", "started", "finished pending")
	says(t, s.fails(t, aborts.Send()).Message, "no")
	check()
}
