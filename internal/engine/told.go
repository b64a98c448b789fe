package engine

import (
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/store"
)

// named gives the task run a name other than the default.
func (t *task) named(name string) {
	t.job.Name, t.job.Named, t.cell.Put().Shown = name, true, name
}

// Name gives the job's task run the name that its task wants, "" for the default.
// See worker.Source.
func (e *Engine) Name(job *api.Job, name string) {
	t := job.Key.(*task)
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	switch {
	case t.phase != claimed || job != t.job:
	case name == "":
		job.Named = true
	default:
		t.named(name)
	}
}

// shownName gives the name of a stored task run.
func shownName(seq int64, row *store.TaskRow, cell *store.TaskCell) string {
	switch {
	case cell.Seldom().Shown != "":
		return cell.Seldom().Shown
	case cell.Call != nil:
		return cell.Call.Key
	}
	return lifecycle.RunName(row.Task, seq)
}

// dependsOn notes what a call of a flow was given the results of, or waited for.
func (t *task) dependsOn(up []api.Upstream) {
	t.first.Upstream = up
	t.cell.Upstream = encodeUpstream(t.seq, up)
}

// restore puts back what the row of a task says of it.
func (t *task) restore(cell *store.TaskCell) (err error) {
	t.cell = *cell
	if name := cell.Seldom().Shown; name != "" && name != t.first.Name { // not the key of a flow's call
		t.first.Name, t.first.Named = name, true
	}
	if t.first.Upstream == nil {
		t.first.Upstream, err = decodeUpstream(t.run.text, t.seq, cell.Upstream)
	}
	return err
}

// encodeUpstream gives what the row of task run seq keeps of those before it.
func encodeUpstream(seq int64, up []api.Upstream) (b []byte) {
	for _, u := range up {
		before := int64(0)
		if u.TaskRun != "" {
			before = seq - seqOf(u.TaskRun)
		}
		b = store.AppendUpstream(b, before, u.State)
	}
	return b
}

func decodeUpstream(run string, seq int64, b []byte) (up []api.Upstream, err error) {
	err = store.Upstream(b, func(before int64, state api.State) {
		u := api.Upstream{State: state}
		if before != 0 {
			u.TaskRun = run + "/" + itoa(seq-before)
		}
		up = append(up, u)
	})
	return up, err
}

// seqOf gives the number in a task run's id.
func seqOf(id string) int64 {
	n, _ := strconv.ParseInt(id[strings.LastIndexByte(id, '/')+1:], 10, 64) // ids are our own
	return n
}

// tellWorker has the worker, and who makes spans, told how the task run ended, once c, which has just
// been given its row, is durable. A cancelled one of which no body has begun is
// nothing to tell.
func (t *task) tellWorker(c *change, state api.State) {
	e := t.run.e
	tells := t.call.Told && e.told != nil
	if !tells && e.spans == nil || state == api.Cancelled && t.cell.Begun == 0 {
		return
	}
	row, job, index, made := c.Tasks[len(c.Tasks)-1].TaskRow, t.job, t.job.Index, t.run.made
	c.then(func() {
		out, _, err := e.taskRun(job.Run, seqOf(job.ID), &row)
		if err != nil {
			e.log.Error("nobody is told how a task run ended", "task_run", job.ID, "error", err)
			return
		}
		out.Index = index
		if e.spans != nil {
			e.spans.TaskRunEnded(made.traceOf(), &out)
		}
		if tells {
			e.told(job, out)
		}
	})
}
