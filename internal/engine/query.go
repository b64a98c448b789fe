package engine

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// find gives the live run with an id, or the row of one that is not live here.
func (e *Engine) find(ctx context.Context, id string) (*run, store.RunRow, error) {
	uid, err := parseID(id)
	if err != nil {
		return nil, store.RunRow{}, err
	}
	number := numberOf(uid)
	e.mu.Lock()
	r := e.runs[number]
	e.mu.Unlock()
	if r != nil && r.uid == uid {
		return r, store.RunRow{}, nil
	}
	row, err := e.store.Run(ctx, number)
	if err != nil || uuid.UUID(row.UID) != uid {
		if err == nil || errors.Is(err, api.ErrNotFound) {
			err = api.Errorf(api.ErrNotFound, "", "no run %s", id)
		}
		return nil, store.RunRow{}, err
	}
	return nil, row, nil
}

// Find gives a run to wait for.
func (e *Engine) Find(ctx context.Context, id string) (*Handle, error) {
	r, row, err := e.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return r.handle, nil
	}
	h := &Handle{e: e, id: id}
	if !row.State.Final() {
		if e.peers.stray(row.ID) && e.peers.alone() {
			return nil, strayError(id)
		}
		h.away = true
		return h, nil
	}
	var cell store.RunCell
	if err := cell.Decode(row.Cell); err != nil {
		return nil, err
	}
	h.settle(row.State, &cell)
	return h, nil
}

func strayError(id string) error {
	return api.Errorf(api.ErrUnknownTask, "", "run %s is live, but this engine does not know its tasks: register them and open again", id)
}

// Status tells where a run stands.
func (e *Engine) Status(ctx context.Context, id string) (api.Run, error) {
	r, row, err := e.find(ctx, id)
	if err != nil {
		return api.Run{}, err
	}
	if r == nil {
		out, err := e.fromRow(&row)
		if err == nil && !row.State.Final() && e.peers.node != nil {
			// Who has it knows more. If that can't be asked, it is what was stored.
			_ = e.briefly(ctx, &row, askStatus, id, &out.Tasks)
		}
		return out, err
	}
	row, err = e.store.Run(ctx, r.id)
	if err != nil {
		return api.Run{}, err
	}
	return e.fromRow(&row)
}

// fromRow gives a stored run for people; the counters of a live one come from
// memory, where they count what is durable.
func (e *Engine) fromRow(row *store.RunRow) (api.Run, error) {
	out := api.Run{
		ID: uuid.UUID(row.UID).String(), Name: row.Name, State: row.State, Generation: int(row.Gen),
		Created: at(row.Created), Finished: at(row.Finished),
	}
	var cell store.RunCell
	if err := cell.Decode(row.Cell); err != nil {
		return out, err
	}
	if cell.Failure != nil {
		f, err := decodeFailure(cell.Failure)
		if err != nil {
			return out, err
		}
		out.Failure = f
	}
	if m, err := madeOf(cell.Schedule); err != nil {
		return out, err
	} else if m != nil {
		out.Schedule = &m.ScheduleTime
	}
	if cell.Counts != nil {
		if err := json.Unmarshal(cell.Counts, &out.Tasks); err != nil {
			return out, err
		}
	}
	e.mu.Lock()
	r := e.runs[row.ID]
	e.mu.Unlock()
	if r != nil {
		r.mu.Lock()
		out.Tasks = r.counts.byName()
		r.mu.Unlock()
	}
	return out, nil
}

func at(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Request gives the pipeline of a run as it was submitted.
func (e *Engine) Request(ctx context.Context, id string) ([]byte, error) {
	row, err := e.rowOf(ctx, id)
	if err != nil {
		return nil, err
	}
	return e.load(ctx, store.DecodeRef(row.Plan))
}

// Result gives the outcome of a run that has ended.
func (e *Engine) Result(ctx context.Context, id string) (Outcome, error) {
	row, err := e.rowOf(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	if !row.State.Final() {
		return Outcome{}, api.Errorf(api.ErrConflict, "", "run %s is %s: it has no result yet", id, row.State)
	}
	var cell store.RunCell
	if err := cell.Decode(row.Cell); err != nil {
		return Outcome{}, err
	}
	return e.outcome(ctx, endOf(row.State, &cell))
}

// listPage is how many runs are read at a time, and firstListPage at first: most who
// read lists want no more than a page of a screen.
const (
	listPage      = 200
	firstListPage = 64
)

// Runs lists the runs that the filter chooses, newest first.
func (e *Engine) Runs(ctx context.Context, filter api.RunFilter) iter.Seq2[api.Run, error] {
	return func(yield func(api.Run, error) bool) {
		left := filter.Limit
		below, err := runsBelow(filter.Before)
		if err != nil {
			yield(api.Run{}, err)
			return
		}
		for page := firstListPage; below > 0; page = listPage {
			if filter.Limit > 0 {
				page = min(page, left)
			}
			rows, err := e.store.Runs(ctx, filter, below, page)
			if err != nil {
				yield(api.Run{}, err)
				return
			}
			for i := range rows {
				below = rows[i].ID
				if !yield(e.fromRow(&rows[i])) {
					return
				}
			}
			left -= len(rows)
			if len(rows) < page || filter.Limit > 0 && left == 0 {
				return
			}
		}
	}
}
