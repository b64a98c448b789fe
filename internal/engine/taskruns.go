package engine

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// TaskRuns lists the task runs that the filter chooses: of one run by number,
// of all runs newest run first.
func (e *Engine) TaskRuns(ctx context.Context, filter api.TaskRunFilter) iter.Seq2[api.TaskRun, error] {
	return func(yield func(api.TaskRun, error) bool) {
		left := filter.Limit
		from, err := startOf(&filter)
		if err != nil {
			yield(api.TaskRun{}, err)
			return
		}
		list := func(row *store.RunRow) error {
			return e.taskRuns(ctx, row, from.seq(row.ID), func(t api.TaskRun) error {
				if !filter.Chooses(&t) {
					return nil
				}
				if left--; !yield(t, nil) || left == 0 {
					return errStop
				}
				return nil
			})
		}
		err = e.eachRun(ctx, filter.Run, from, list)
		if err != nil && !errors.Is(err, errStop) {
			yield(api.TaskRun{}, err)
		}
	}
}

func (e *Engine) eachRun(ctx context.Context, id string, from start, list func(*store.RunRow) error) error {
	if id != "" {
		row, err := e.rowOf(ctx, id)
		if err != nil {
			return err
		}
		return list(&row)
	}
	for below, page := from.below, firstListPage; ; page = listPage {
		rows, err := e.store.Runs(ctx, api.RunFilter{}, below, page)
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows {
			below = rows[i].ID
			if err := list(&rows[i]); err != nil {
				return err
			}
		}
	}
}

// taskRuns calls yield for the task runs of a run, by number and from one on.
func (e *Engine) taskRuns(ctx context.Context, row *store.RunRow, from int64, yield func(api.TaskRun) error) error {
	live := e.liveTasks(ctx, row) // before the rows are read: what has one by then is shown by it
	blocks, err := e.blocksOf(ctx, row)
	if err != nil {
		return err
	}
	live.skip(from)
	places := e.placesOf(ctx, row, blocks)
	listed := yield
	yield = func(t api.TaskRun) error {
		if t.Place == "" { // it has no row
			if err := places.fill(&t, nil); err != nil {
				return err
			}
		}
		return listed(t)
	}
	id := uuid.UUID(row.UID).String()
	for _, b := range blocks {
		first := b.First + max(from-b.Seq, 0)
		if first >= b.First+b.Count {
			continue
		}
		err := e.store.Tasks(ctx, row.ID, first, b.First+b.Count, func(t *store.TaskRow) error {
			out, next, err := e.taskRun(id, b.Seq+t.ID-b.First, t)
			if err != nil {
				return err
			}
			places.callers.note(next, t.ID)
			if err := places.fill(&out, t); err != nil {
				return err
			}
			settleStale(row, t, &out)
			if err := live.before(out.Seq, yield); err != nil {
				return err
			}
			live.add(&out, t.ID)
			return yield(out)
		})
		if err != nil {
			return err
		}
	}
	return live.before(math.MaxInt64, yield)
}

// blocksOf gives the blocks of a run's keys, the first one too.
func (e *Engine) blocksOf(ctx context.Context, row *store.RunRow) ([]store.Block, error) {
	var blocks []store.Block
	if !row.Alone || !row.State.Final() { // a live one may have got some meanwhile
		var err error
		if blocks, err = e.store.Blocks(ctx, row.ID); err != nil {
			return nil, err
		}
	}
	// The first block is not among them. It is of 16 keys or less: no further
	// than where the next one of the run begins.
	end := row.Base + firstWidth
	for _, b := range blocks {
		if b.First > row.Base {
			end = min(end, b.First)
		}
	}
	return append([]store.Block{{First: row.Base, Count: end - row.Base}}, blocks...), nil
}

// cutID cuts a task run's id into the run's and its number.
func cutID(id string) (run string, seq int64, err error) {
	run, number, _ := strings.Cut(id, "/")
	if seq, err = strconv.ParseInt(number, 10, 64); err != nil || seq < 0 {
		return "", 0, api.Errorf(api.ErrNotFound, "", "no task run %q: not an id", id)
	}
	return run, seq, nil
}

// storedTask reads the task run of a number with its key; no id if there is none.
func (e *Engine) storedTask(ctx context.Context, row *store.RunRow, seq int64) (out api.TaskRun, key int64, err error) {
	blocks, err := e.blocksOf(ctx, row)
	if err != nil {
		return out, 0, err
	}
	for _, b := range blocks {
		at := b.First + seq - b.Seq
		if seq < b.Seq || seq >= b.Seq+b.Count {
			continue
		}
		err := e.store.Tasks(ctx, row.ID, at, at+1, func(t *store.TaskRow) error {
			out, _, err = e.taskRun(uuid.UUID(row.UID).String(), seq, t)
			if err != nil {
				return err
			}
			settleStale(row, t, &out)
			key = t.ID
			return e.placesOf(ctx, row, blocks).fill(&out, t)
		})
		if err != nil {
			return out, 0, err
		}
	}
	return out, key, nil
}

// settleStale shows as CANCELLED what a flow never came to again after a crash.
// What a retry takes up has its generation.
func settleStale(row *store.RunRow, t *store.TaskRow, out *api.TaskRun) {
	if (row.State.Final() || t.Gen < row.Gen) && !out.State.Final() {
		out.State, out.StateName = api.Cancelled, lifecycle.Name(api.Cancelled, 0, "")
		out.Waiting, out.Reason = nil, ""
	}
}

// taskRun gives a stored task run for people, but for where it comes from, and the
// base of the chain that it returned, 0 for none.
func (e *Engine) taskRun(run string, seq int64, row *store.TaskRow) (out api.TaskRun, next int64, err error) {
	var cell store.TaskCell
	if err := cell.Decode(row.Cell); err != nil {
		return out, 0, err
	}
	out = api.TaskRun{
		ID: run + "/" + itoa(seq), Run: run, Seq: seq, Task: row.Task, Name: shownName(seq, row, &cell), Index: -1,
		State: row.State, Attempt: int(row.Attempt), Generation: int(row.Gen), Worker: e.workerName(cell.Worker),
		Started: at(cell.Started), Finished: at(cell.Ended), Result: clone(cell.Result.Data),
	}
	switch {
	case cell.Waiting():
		explain(&out, api.Waiting{Kind: api.WaitsForAnswer})
	case row.State == api.Scheduled:
		if row.Attempt == 1 {
			out.Attempt = 0
		}
		explain(&out, untilDue(at(cell.Seldom().Due), row.Attempt))
	}
	if cell.Seldom().Failure != nil {
		f, err := decodeFailure(cell.Seldom().Failure)
		if err != nil {
			return out, 0, err
		}
		out.Failure = f
	}
	x := cell.Seldom()
	if x.Parts != nil {
		if err := json.Unmarshal(x.Parts, &out.Parts); err != nil {
			return out, 0, err
		}
	}
	if x.Tags != nil {
		if err := json.Unmarshal(x.Tags, &out.Tags); err != nil {
			return out, 0, err
		}
	}
	if x.Cache != nil {
		out.Cache = new(api.CacheUse)
		if err := json.Unmarshal(x.Cache, out.Cache); err != nil {
			return out, 0, err
		}
	}
	out.Upstream, err = decodeUpstream(run, seq, cell.Upstream)
	if err != nil {
		return out, 0, err
	}
	out.StateName = cell.Seldom().Name
	if cell.Seldom().Name == "" {
		var code api.Code
		if out.Failure != nil {
			code = out.Failure.Code
		}
		out.StateName = lifecycle.Name(out.State, out.Attempt, code)
	}
	return out, cell.Next, addHistory(&out, &cell)
}

// addHistory gives the transitions that the row holds. The end of an attempt
// that needed no line of its own follows from its times.
func addHistory(out *api.TaskRun, cell *store.TaskCell) error {
	var last int64
	add := func(state api.State, attempt int, micros int64, message string) *api.Transition {
		if len(out.History) > 0 {
			micros = max(micros, last+1)
		}
		last = micros
		out.History = append(out.History, api.Transition{
			State: state, Name: lifecycle.Name(state, attempt, ""), Time: at(micros), Attempt: attempt, Message: message,
		})
		return &out.History[len(out.History)-1]
	}
	err := store.History(cell.History, func(l *store.Line) {
		tr := add(l.State, int(l.Attempt), l.At, l.Message)
		switch {
		case l.Name != "":
			tr.Name = l.Name
		case l.State == api.Failed && int(l.Attempt) < out.Attempt: // it is tried again
			tr.State, tr.Name = api.Scheduled, lifecycle.AwaitingRetry
		}
	})
	if n := len(out.History); cell.Begun != 0 && (n == 0 || out.History[n-1].Attempt != out.Attempt) && out.State != api.Scheduled {
		add(api.Running, out.Attempt, cell.Begun, "")
	}
	switch {
	case out.State == api.Scheduled && len(out.History) == 0:
		add(api.Scheduled, out.Attempt, cell.Seldom().Due, "")
	case out.State.Final():
		add(out.State, out.Attempt, cell.Ended, "").Name = out.StateName
	}
	return err
}

// past gives the history of a task run that has ended and is to begin again with
// a retry of its run, as a row keeps it: with how it ended, and why.
func (e *Engine) past(row *store.TaskRow, now int64) ([]byte, error) {
	out, _, err := e.taskRun("", 0, row)
	var b []byte
	for i := range out.History {
		tr := &out.History[i]
		l := store.Line{State: tr.State, Name: tr.Name, Attempt: int32(tr.Attempt), At: tr.Time.UnixMicro(), Message: tr.Message}
		if i == len(out.History)-1 && out.Failure != nil {
			l.Message = out.Failure.Message
		}
		if l.Name == lifecycle.Name(l.State, tr.Attempt, "") && l.State != api.Failed {
			l.Name = ""
		}
		b = store.AppendHistory(b, &l)
	}
	return store.AppendHistory(b, &store.Line{State: api.Pending, At: now, Message: "the run is retried"}), err
}

// firstWidth is the most keys that the first block of a run can have.
const firstWidth = pipeline.BlockSize

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
