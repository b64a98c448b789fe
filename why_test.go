package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// Tasks that wait.
var (
	whyFlaky = runnel.NewTask0("why flaky", func(ctx context.Context) (string, error) {
		if runnel.TaskRun(ctx).Attempt == 1 {
			return "", errors.New("once")
		}
		return "ok", nil
	}, runnel.Retries(1), runnel.RetryDelay(time.Hour))
	whyAsks = runnel.NewTask0("why asks", func(context.Context) (string, error) { return "", runnel.Pending }, runnel.Timeout(2*time.Hour))
	whyDeaf = runnel.NewTask0("why deaf", func(ctx context.Context) (string, error) {
		<-ctx.Done()
		<-time.After(time.Second)
		return "", context.Cause(ctx)
	})
	whyCached = runnel.NewTask0("why cached", func(context.Context) (string, error) {
		<-time.After(time.Hour)
		return "slept", nil
	}, runnel.CacheKey(constant))
	whyTakes = runnel.NewTask0("why takes", func(ctx context.Context) (string, error) {
		release, err := runnel.Acquire(ctx, "mails")
		if err != nil {
			return "", err
		}
		defer release()
		<-time.After(time.Hour)
		return "sent", nil
	})
	whyFlow = runnel.NewFlow0("why flow", func(f runnel.Flow) (string, error) {
		slow := runnel.Ref2[string, time.Duration, string]("slow")
		a, b := slow.Submit(f, "a", time.Hour), slow.Submit(f, "b", time.Hour)
		return "done", runnel.WaitAll(f, a, b)
	})
)

// whyCase makes something wait, and gives its run and who holds it up.
type whyCase struct {
	kind  api.WaitingKind
	begin func(t *testing.T, s *suite) (run *runnel.Run[string], holder string)
	state api.State
	text  string
	want  api.Waiting // but for Until and TaskRun
}

func whyCases() []whyCase {
	submit := func(p runnel.Pipeline[string]) func(*testing.T, *suite) (*runnel.Run[string], string) {
		return func(t *testing.T, s *suite) (*runnel.Run[string], string) { return s.submit(t, p), "" }
	}
	after := func(o ...runnel.CallOption) func(*testing.T, *suite) (*runnel.Run[string], string) {
		return func(t *testing.T, s *suite) (*runnel.Run[string], string) {
			s.limited(t, "db", 1)
			first := s.submit(t, s.slow.Send("1", time.Hour).Set(o...))
			quiet()
			return s.submit(t, s.slow.Send("2", time.Hour).Set(o...)), first.ID() + "/0"
		}
	}
	return []whyCase{
		{api.WaitsForWorker, func(t *testing.T, s *suite) (*runnel.Run[string], string) {
			s.sleepers(t, "1 2")
			return s.submit(t, s.sleeps("3")), ""
		}, api.Pending, "waits for a worker", api.Waiting{}},
		{
			api.WaitsForQueue, after(runnel.Queue("gpu"), runnel.Tags("db"), runnel.TaskID("cart")),
			api.Pending, `queue "gpu": nobody`,
			api.Waiting{Queue: "gpu"},
		},
		{
			api.WaitsForSlots, after(runnel.Tags("db")), api.Pending, "a slot of tag db (1 of 1 taken), place 1",
			api.Waiting{Slots: []api.WaitingSlot{{Tag: "db", Limit: 1, Taken: 1, Place: 1, Waiting: 1}}},
		},
		{api.WaitsForTaskID, after(runnel.TaskID("cart")), api.Pending, `task id "cart"`, api.Waiting{TaskID: "cart"}},
		{api.WaitsForResume, func(t *testing.T, s *suite) (*runnel.Run[string], string) {
			s.sleepers(t, "1 2")
			run := s.submit(t, s.sleeps("3"))
			quiet()
			do(t, run.Pause(t.Context()))
			return run, ""
		}, api.Pending, "to be resumed", api.Waiting{}},
		{api.WaitsForBackoff, submit(whyFlaky.Send()), api.Scheduled, "for attempt 2", api.Waiting{Attempt: 2}},
		{api.WaitsForAnswer, submit(whyAsks.Send()), api.Running, "from outside, until 2000-01-01T02:00:00Z", api.Waiting{}},
		{api.WaitsForCache, func(t *testing.T, s *suite) (*runnel.Run[string], string) {
			first := s.submit(t, whyCached.Send())
			quiet()
			return s.submit(t, whyCached.Send()), first.ID() + "/0"
		}, api.Pending, "same cache key, place 1", api.Waiting{Key: "static cache key", Place: 1}},
		{api.WaitsForOthers, submit(whyFlow.Send()), api.Running, "waits for 2 calls", api.Waiting{Count: 2}},
		{api.WaitsForCancel, func(t *testing.T, s *suite) (*runnel.Run[string], string) {
			run := s.submit(t, whyDeaf.Send())
			quiet()
			do(t, run.Cancel(t.Context()))
			return run, ""
		}, api.Running, "told to end", api.Waiting{}},
		{api.WaitsForLimit, func(t *testing.T, s *suite) (*runnel.Run[string], string) {
			do(t, s.eng.GlobalLimits().Create(t.Context(), api.GlobalLimit{Name: "mails", Limit: 1}))
			s.submit(t, whyTakes.Send())
			quiet()
			return s.submit(t, whyTakes.Send()), ""
		}, api.Running, "limit mails, place 1", api.Waiting{Key: "mails", Place: 1}},
		{"", func(t *testing.T, s *suite) (*runnel.Run[string], string) {
			return s.submit(t, s.sleeps("1")), ""
		}, api.Running, "does not wait", api.Waiting{}},
	}
}

func TestWhy(t *testing.T) {
	for _, c := range whyCases() {
		name := "why-" + string(c.kind)
		bubbled(t, name, func(t *testing.T, s *suite) {
			run, holder := c.begin(t, s)
			quiet()
			w, err := s.eng.Why(t.Context(), run.ID()+"/0")
			do(t, err)
			says(t, w.String(), c.text)
			tasks := taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})
			if len(tasks) == 0 || tasks[0].ID != run.ID()+"/0" || tasks[0].State != c.state {
				t.Fatalf("task runs %+v, want one that is %s", tasks, c.state)
			}
			if c.kind == "" {
				if tasks[0].Waiting != nil || tasks[0].Reason != "" {
					t.Errorf("the list says %+v", tasks[0])
				}
			} else if tasks[0].Waiting == nil || !reflect.DeepEqual(*tasks[0].Waiting, w) || tasks[0].Reason != w.String() {
				t.Errorf("the list says %+v, %q, want %+v", tasks[0].Waiting, tasks[0].Reason, w)
			}
			for i := range w.Slots {
				wants(t, "holders", w.Slots[i].Holders, []string{holder})
				w.Slots[i].Holders = nil
			}
			if len(w.Slots) == 0 && c.kind != api.WaitsForQueue {
				wants(t, "holder", w.TaskRun, holder)
			}
			want := c.want // the stores run beside each other
			w.TaskRun, w.Until, want.Kind = "", time.Time{}, c.kind
			wants(t, "waiting", w, want)
			all, err := s.eng.Why(t.Context(), run.ID())
			do(t, err)
			if c.kind != "" && all.Counts[c.kind] != 1 {
				t.Errorf("the run waits for %+v, want one for %s", all, c.kind)
			}
		}, runnel.Concurrency(2), runnel.Queues("default"), runnel.Register(whyFlaky, whyAsks, whyDeaf, whyCached, whyFlow, whyTakes))
	}
}

func TestWhyOfWhatDoesNotWait(t *testing.T) {
	bubbled(t, "why-ended", func(t *testing.T, s *suite) {
		run := s.submit(t, s.hi.Send("J", "D").ContinueWith(s.slow.With(time.Hour)))
		quiet()
		for _, c := range []struct {
			id   string
			like error
			text string
		}{
			{run.ID() + "/0", runnel.ErrConflict, "has ended, as COMPLETED"},
			{run.ID() + "/7", runnel.ErrNotFound, "what has not begun has none"},
			{run.ID() + "/x", runnel.ErrNotFound, "not an id"},
			{"x", runnel.ErrNotFound, "not an id"},
		} {
			_, err := s.eng.Why(t.Context(), c.id)
			matches(t, err, c.like)
			says(t, err.Error(), c.text)
		}
		ends(t, "H J D", run)
		for _, id := range []string{run.ID(), run.ID() + "/1"} {
			_, err := s.eng.Why(t.Context(), id)
			matches(t, err, runnel.ErrConflict)
			says(t, err.Error(), "waits for nothing")
		}
	})
	bubbled(t, "why-group", func(t *testing.T, s *suite) {
		pair := func(o ...runnel.CallOption) runnel.Pipeline[string] { return s.slow.Send("k", time.Hour).Set(o...) }
		wide := runnel.InParallel(runnel.List(pair(), pair(), pair(), pair(), pair()), runnel.MaxParallelism(1))
		far := runnel.InParallel(runnel.List(pair(runnel.Queue("gpu")), pair(runnel.Queue("gpu"))))
		run, err := s.eng.Submit(t.Context(), runnel.InParallel(runnel.List(wide, far)))
		do(t, err)
		quiet()
		w, err := s.eng.Why(t.Context(), run.ID())
		do(t, err)
		queued := 1 // the group stands there whole; where processes may join that serve the queue it does not
		if s.store == "postgres" {
			queued = 2
		}
		wants(t, "waiting", w, api.Waiting{
			Kind: api.WaitsForTaskRuns, Running: 1, Limit: 1, Taken: 1,
			Counts: map[api.WaitingKind]int{api.WaitsForParallelism: 4, api.WaitsForQueue: queued},
		})
		says(t, w.String(), fmt.Sprintf("1 running, 4 waiting for parallelism (1 of 1 in progress), %d waiting for queue", queued))
		do(t, run.Pause(t.Context()))
		w, err = s.eng.Why(t.Context(), run.ID())
		do(t, err)
		if w.Kind != api.WaitsForResume || w.Counts[api.WaitsForResume] != 4+queued {
			t.Errorf("the paused run %s: %+v", w, w)
		}
	}, runnel.Queues("default"))
	bubbled(t, "why-restart", func(t *testing.T, s *suite) {
		if s.store == "memory" {
			return
		}
		run := s.submit(t, s.sleeps("1").ContinueWith(s.val.With().Set(runnel.Queue("gpu"))))
		hours(1)
		for range 2 {
			w, err := s.eng.Why(t.Context(), run.ID()+"/1")
			do(t, err)
			wants(t, "waiting", w, api.Waiting{Kind: api.WaitsForQueue, Queue: "gpu"})
			list := taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})
			if len(list) != 2 || list[1].State != api.Pending || !strings.Contains(list[1].Reason, "gpu") {
				t.Errorf("task runs %+v", list)
			}
			do(t, s.eng.Close(t.Context()))
			s.eng = s.open(t, runnel.Queues("default"))
		}
		do(t, s.eng.Close(t.Context()))
		s.eng = s.open(t)
		again, err := s.eng.Attach[string](t.Context(), run.ID())
		do(t, err)
		ends(t, "V:1", again)
	}, runnel.Queues("default"))
}
