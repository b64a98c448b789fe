package runnel_test

import (
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// A process without queues submits and looks on. Others run what it submits, even
// while it is there; while nobody is, it waits and says for what.
func TestSubmitOnly(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		here, there := newHeld(), newHeld()
		submits := process(t, dsn, runnel.Register(here.task), runnel.Queues())
		run, err := submits.Submit(t.Context(), here.task.Send("x"))
		do(t, err)
		why, err := submits.Why(t.Context(), run.ID()+"/0")
		do(t, err)
		wants(t, "it waits for", []any{why.Kind, why.Queue}, []any{api.WaitsForQueue, "default"})
		process(t, dsn, runnel.Register(there.task), runnel.Concurrency(1))
		wants(t, "body", <-there.begun, "x")
		close(there.gate)
		ends(t, "x done", run)
		v, err := submits.Run(t.Context(), runnel.InParallel(runnel.List(here.task.Send("a"), here.task.Send("b"))))
		do(t, err)
		wants(t, "results", v, []string{"a done", "b done"})
		wants(t, "bodies here", len(here.begun), 0)
	})
}

// A process runs only what belongs to its queues, whoever submitted it.
func TestQueuesOfProcesses(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		cpu, gpu := newHeld(), newHeld()
		close(cpu.gate)
		close(gpu.gate)
		a := process(t, dsn, runnel.Register(cpu.task), runnel.Queues("default"))
		b := process(t, dsn, runnel.Register(gpu.task), runnel.Queues("gpu"))
		for _, eng := range []*runnel.Engine{a, b} {
			v, err := eng.Run(t.Context(), cpu.task.Send("x").ContinueWith(cpu.task.WithOptions(runnel.Queue("gpu"))))
			do(t, err)
			wants(t, "result", v, "x done done")
			wants(t, "bodies", []string{<-cpu.begun, <-gpu.begun}, []string{"x", "x done"})
		}
	})
}
