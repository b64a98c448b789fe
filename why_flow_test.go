package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// Flows whose calls wait for each other.
var (
	whySub  = runnel.NewFlow1("why sub", func(_ runnel.Flow, s string) (string, error) { return "sub " + s, nil })
	whyJoin = runnel.NewTask1("why join", func(_ context.Context, all []string) (string, error) { return strings.Join(all, " "), nil },
		runnel.Tags("joins"))
	whyFails = runnel.NewTask0("why fails", func(context.Context) (string, error) {
		<-time.After(time.Hour)
		return "", errors.New("no")
	})
	whyTree = runnel.NewFlow0("why tree", func(f runnel.Flow) (string, error) {
		slow := runnel.Ref2[string, time.Duration, string]("slow")
		a, b := slow.Submit(f, "a", time.Hour), slow.Submit(f, "b", 2*time.Hour)
		joined := whyJoin.Bind(runnel.Gather[string](a, b, a)).Submit(f.WithTags("below"))
		last := slow.Submit(f, "last", time.Hour, runnel.WaitFor(joined), runnel.Name("the last"))
		sub := whySub.Bind(a).Submit(f)
		// A pipeline is no task run: those in it are listed once they begin.
		slow.Send("p", time.Hour).ContinueWith(whyVal).Submit(f, runnel.WaitFor(a))
		never := slow.Submit(f, "never", time.Hour, runnel.WaitFor(whyFails.Submit(f)))
		if _, err := never.Outcome(f); err != nil {
			return "", err
		}
		if _, err := sub.Result(f); err != nil {
			return "", err
		}
		return last.Result(f)
	})
	whyOnce = runnel.NewFlow0("why once", func(f runnel.Flow) (string, error) {
		slow := runnel.Ref2[string, time.Duration, string]("slow")
		return slow.Submit(f, "then", time.Hour, runnel.WaitFor(whyAsks.Submit(f))).Result(f)
	})
	whyVal  = runnel.NewTask1("why val", func(_ context.Context, s string) (string, error) { return s, nil })
	whyMany = runnel.NewFlow1("why many", func(f runnel.Flow, n int) (string, error) {
		slow := runnel.Ref2[string, time.Duration, string]("slow")
		all := make([]runnel.Arg[string], n)
		for i := range all {
			all[i] = slow.Submit(f, fmt.Sprint(i), time.Duration(i+1)*time.Hour)
		}
		return whyJoin.Bind(runnel.Gather(all...)).Call(f)
	})
)

// named gives the one task run with a name, and checks that Why says the same of
// it as the list.
func (s *suite) named(t *testing.T, run, name string) api.TaskRun {
	t.Helper()
	var found []api.TaskRun
	for _, task := range taskRuns(t, s, api.TaskRunFilter{Run: run}) {
		if task.Name == name {
			found = append(found, task)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d task runs have the name %q, want one: %+v", len(found), name, found)
	}
	if !found[0].State.Final() {
		w, err := s.eng.Why(t.Context(), found[0].ID)
		do(t, err)
		if found[0].Waiting != nil {
			wants(t, "waiting of "+name, w, *found[0].Waiting)
		}
	}
	return found[0]
}

// waitsFor checks that a task run has not begun and waits for others, by name.
func (s *suite) waitsFor(t *testing.T, run, name string, others ...string) api.TaskRun {
	t.Helper()
	task := s.named(t, run, name)
	ids := make([]string, len(others))
	for i, other := range others {
		ids[i] = s.named(t, run, other).ID
	}
	if task.State != api.Pending || task.StateName != "Pending" || task.Attempt != 0 || task.Waiting == nil {
		t.Fatalf("%s is %+v, want one that is Pending", name, task)
	}
	wants(t, "what "+name+" waits for", *task.Waiting, api.Waiting{Kind: api.WaitsForOthers, Count: len(ids), TaskRuns: ids})
	return task
}

func TestWhyCallsOfFlowsWait(t *testing.T) {
	known := runnel.Register(whyTree, whySub, whyJoin, whyFails, whyVal, whyMany, whyOnce, whyAsks)
	bubbled(t, "one by one", func(t *testing.T, s *suite) {
		run := s.submit(t, whyTree.Send())
		quiet()
		join := s.waitsFor(t, run.ID(), "why join-0", "slow-0", "slow-1")
		wants(t, "tags", join.Tags, []string{"below", "joins"})
		says(t, join.Reason, "waits for 2 calls: "+run.ID()+"/", ", "+run.ID()+"/")
		last := s.waitsFor(t, run.ID(), "the last", "why join-0")
		sub := s.waitsFor(t, run.ID(), "why sub-0", "slow-0")
		never := s.waitsFor(t, run.ID(), "slow-4", "why fails-0")
		wants(t, "task runs of a tag", len(taskRuns(t, s, api.TaskRunFilter{Run: run.ID(), Tags: []string{"joins"}})), 1)
		all, err := s.eng.Why(t.Context(), run.ID())
		do(t, err)
		wants(t, "waiting of the run", all, api.Waiting{
			Kind: api.WaitsForTaskRuns, Running: 3, Counts: map[api.WaitingKind]int{api.WaitsForOthers: 5},
		})
		wants(t, "calls of the flow", s.named(t, run.ID(), "why tree-0").Waiting.Count, 8)
		hours(1)
		s.waitsFor(t, run.ID(), "why join-0", "slow-1")
		for _, c := range []struct {
			was   api.TaskRun
			state api.State
			id    bool
		}{{sub, api.Completed, true}, {never, api.Skipped, true}} {
			now := s.named(t, run.ID(), c.was.Name)
			if now.State != c.state || now.ID != c.was.ID {
				t.Errorf("%s, once %s, is now %s, %s", c.was.Name, c.was.ID, now.ID, now.State)
			}
		}
		ends(t, "last", run)
		for _, was := range []api.TaskRun{join, last} {
			now := s.named(t, run.ID(), was.Name)
			if now.State != api.Completed || now.ID != was.ID || len(now.Upstream) == 0 {
				t.Errorf("%s, once %s, is now %+v", was.Name, was.ID, now)
			}
		}
		wants(t, "calls", len(taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})), 10)
	}, known)
	bubbled(t, "many", func(t *testing.T, s *suite) {
		run := s.submit(t, whyMany.Send(25))
		for ended := range 25 {
			quiet()
			task := s.named(t, run.ID(), "why join-0")
			w := task.Waiting
			if w == nil || w.Count != 25-ended || len(w.TaskRuns) != min(w.Count, 10) || !slices.Contains(w.TaskRuns, s.named(t, run.ID(), fmt.Sprintf("slow-%d", ended)).ID) {
				t.Fatalf("after %d have ended it waits for %+v", ended, w)
			}
			if w.Count > 10 {
				says(t, task.Reason, fmt.Sprintf(" and %d more", w.Count-10))
			}
			<-time.After(time.Hour)
		}
		quiet()
		is(t, api.Completed, run)
	}, known)
	bubbled(t, "after a restart and a cancellation", func(t *testing.T, s *suite) {
		run := s.submit(t, whyOnce.Send())
		quiet()
		before := s.waitsFor(t, run.ID(), "slow-0", "why asks-0")
		if s.store != "memory" {
			do(t, s.eng.Close(t.Context()))
			s.eng = s.open(t, known)
			quiet()
			after := s.waitsFor(t, run.ID(), "slow-0", "why asks-0")
			if after.ID == s.named(t, run.ID(), "why asks-0").ID {
				t.Errorf("after the restart it has the id of another, %s; it was %s", after.ID, before.ID)
			}
		}
		again, err := s.eng.Attach[string](t.Context(), run.ID())
		do(t, err)
		do(t, again.Cancel(t.Context()))
		quiet()
		is(t, api.Cancelled, again)
		for _, task := range taskRuns(t, s, api.TaskRunFilter{Run: run.ID()}) {
			if !task.State.Final() {
				t.Errorf("left over: %+v", task)
			}
		}
	}, known)
}
