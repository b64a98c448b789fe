package engine

import (
	"encoding/json"
	"errors"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// taskEnd is how a final row says its task ended.
func taskEnd(row *store.TaskRow, cell *store.TaskCell) (pipeline.End, error) {
	end := pipeline.End{Outcome: pipeline.Outcome{Value: value(cell.Result)}}
	if cell.SetState {
		end.SetState, end.State = true, pipeline.State{Data: cell.State, Merge: cell.Merge, Set: true}
	}
	switch row.State {
	case api.Failed:
		f, err := decodeFailure(cell.Seldom().Failure)
		end.Outcome = failed(f)
		return end, err
	case api.Cancelled:
		if cell.Seldom().Failure != nil { // by a limit of 0
			f, err := decodeFailure(cell.Seldom().Failure)
			end.Outcome = failed(f)
			return end, err
		}
		end.Status = pipeline.Cancelled
	}
	return end, nil
}

// frameEnd is how a frame that is done says it ended.
func frameEnd(row *store.FrameRow) (pipeline.End, error) {
	var cell store.FrameCell
	if err := cell.Decode(row.Cell); err != nil {
		return pipeline.End{}, err
	}
	end := pipeline.End{
		Outcome: pipeline.Outcome{Value: value(cell.Result)},
		State:   pipeline.State{Data: cell.State, Merge: cell.Merge, Set: cell.State != nil},
	}
	switch {
	case cell.Failure != nil:
		f, err := decodeFailure(cell.Failure)
		end.Outcome = failed(f)
		return end, err
	case cell.Cancelled:
		end.Status = pipeline.Cancelled
	}
	return end, nil
}

func decodeFailure(data []byte) (*api.Failure, error) {
	f := new(api.Failure)
	if err := json.Unmarshal(data, f); err != nil {
		return nil, api.Errorf(api.ErrStore, "", "stored failure: %w", err)
	}
	return f, nil
}

func isStoreError(err error) bool { return errors.Is(err, api.ErrStore) }
