package runnel_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// later is a sleeper of a queue, with a priority.
func (s *suite) later(key, queue string, priority int) runnel.Pipeline[string] {
	return s.slow.Send(key, time.Hour).Set(runnel.Queue(queue), runnel.Priority(priority))
}

func TestQueues(t *testing.T) {
	one := runnel.Concurrency(1)
	bubbled(t, "priorities", func(t *testing.T, s *suite) {
		s.sleepers(t, "first")
		for _, p := range []struct {
			key string
			n   int
		}{{"low", -100}, {"plain", 0}, {"high", 100}, {"plain2", 0}, {"high2", 100}} {
			s.submit(t, s.later(p.key, "default", p.n))
			quiet()
		}
		hours(6)
		wants(t, "began", s.began(), "first high high2 plain plain2 low")
	}, one)
	bubbled(t, "a call's priority over the task's", func(t *testing.T, s *suite) {
		s.sleepers(t, "first")
		high := s.slow.WithOptions(runnel.Priority(9)).Send("a", time.Hour)
		s.submit(t, high.Set(runnel.Priority(0)))
		quiet()
		s.submit(t, s.later("b", "mail", 1))
		hours(3)
		wants(t, "began", s.began(), "first b a")
	}, one)
	bubbled(t, "served", func(t *testing.T, s *suite) {
		s.submit(t, s.later("gpu", "gpu", 0))
		s.submit(t, s.later("mail", "mail", 0))
		s.sleepers(t, "plain")
		hours(3)
		wants(t, "began", s.began(), "gpu plain")
	}, runnel.Queues("default", "gpu"))
	bubbled(t, "C22", func(t *testing.T, s *suite) {
		run := s.submit(t, s.later("gpu", "gpu", 0))
		hours(3)
		is(t, api.Running, run)
		tasks := taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})
		if len(tasks) != 1 || tasks[0].State != api.Pending || tasks[0].Reason != `waits for a worker of queue "gpu": nobody serves it` {
			t.Errorf("task runs %+v, want one that is PENDING since nobody serves gpu", tasks)
		}
	}, runnel.Queues("default"))
	bubbled(t, "none", func(t *testing.T, s *suite) {
		run := s.submit(t, s.later("gpu", "gpu", 0))
		s.sleepers(t, "plain")
		hours(3)
		wants(t, "began", s.began(), "")
		is(t, api.Running, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
	}, runnel.Queues())
	gpu := runnel.NewTask0("gpu", func(context.Context) (string, error) { return "gpu", nil }, runnel.Queue("gpu"))
	flow := runnel.NewFlow0("flow", func(f runnel.Flow) (string, error) {
		a, b := gpu.Submit(f), runnel.Ref2[string, string, string]("hi").Submit(f, "J", "D", runnel.Queue("mail"), runnel.Priority(3))
		if done, err := b.Result(f); err != nil {
			return done, err
		}
		return a.Result(f)
	}, runnel.Queue("flows"))
	known := runnel.Register(gpu, flow)
	bubbled(t, "a flow's calls have their own", func(t *testing.T, s *suite) {
		run := s.submit(t, flow.Send())
		hours(1)
		wants(t, "began", s.ledger(), []string{"hi J D"})
		is(t, api.Running, run)
		if s.store == "memory" {
			return
		}
		do(t, s.eng.Close(t.Context()))
		s.eng = s.open(t, known)
		again, err := s.eng.Attach[string](t.Context(), run.ID())
		do(t, err)
		ends(t, "gpu", again)
	}, runnel.Queues("flows", "mail"), known, runnel.LogTo(nil))
}

func TestQueueOptions(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		for _, c := range []struct {
			option runnel.CallOption
			want   string
		}{
			{runnel.Queue(""), `Queue("")`},
			{runnel.Priority(101), "Priority(101)"},
			{runnel.Priority(-101), "-100 to 100"},
		} {
			_, err := s.eng.Submit(t.Context(), s.hi.Send("J", "D").Set(c.option))
			matches(t, err, runnel.ErrInvalid)
			says(t, err.Error(), c.want)
		}
		_, err := runnel.Open(t.Context(), "memory:", runnel.Queues("a", ""))
		matches(t, err, runnel.ErrInvalid)
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"task":"hi","args":["J","D"],"options":{"priority":200}}]}`, "steps[0]", "priority is 200")
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"task":"hi","args":["J","D"],"options":{"queue":3}}]}`, "queue")

		data, err := json.Marshal(s.hi.Send("J", "D").Set(runnel.Queue("gpu"), runnel.Priority(0)))
		do(t, err)
		says(t, string(data), `"options":{"queue":"gpu","priority":0}`)
		var back runnel.Pipeline[string]
		do(t, json.Unmarshal(data, &back))
		again, err := json.Marshal(back)
		do(t, err)
		wants(t, "JSON, read and written again", string(again), string(data))
		s.gives(t, "H J D", back)
	})
}
