package sqlite

import (
	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/staging"
)

var _ staging.Facts = (*writer)(nil)

// Mark finds a run among the live ones or in the file. For a new run the file is
// not asked: the key will say.
func (w *writer) Mark(run int64, isNew bool) (m staging.Mark, known bool, err error) {
	if m, live := w.live[run]; live || isNew {
		return m, true, nil
	}
	st := w.selectMark
	st.BindInt64(1, run)
	found, err := st.Step()
	if err != nil {
		return m, false, err
	}
	if found {
		m = staging.Mark{Epoch: st.ColumnInt32(0), State: api.State(st.ColumnInt64(1)), Lines: -1}
	}
	return m, true, st.Reset()
}

// Lines reads the number of a run's last line.
func (w *writer) Lines(run int64) (int64, error) {
	line, _, _, err := w.pair(w.selectLine, run)
	return line, err
}

// Frames reads some frames with the writer's connection.
func (w *writer) Frames(refs []store.FrameRef) (rows []store.FrameRow, err error) {
	st := w.selectFrame
	for _, ref := range refs {
		st.BindInt64(1, ref.Run)
		st.BindInt64(2, ref.Frame)
		found, err := st.Step()
		if err != nil {
			return nil, err
		}
		if found {
			rows = append(rows, frameRow(st))
		}
		if err := st.Reset(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

const frameColumns = "run, id, parent, place, kind, state, base, source, count, pending, failed, low, cell"

func frameRow(st *sqlite.Stmt) store.FrameRow {
	return store.FrameRow{
		Run: st.ColumnInt64(0), ID: st.ColumnInt64(1), Parent: st.ColumnInt64(2), Place: st.ColumnInt32(3),
		Kind: store.FrameKind(st.ColumnInt64(4)), State: store.FrameState(st.ColumnInt64(5)),
		Base: st.ColumnInt64(6), Source: st.ColumnInt64(7), Count: st.ColumnInt64(8), Pending: st.ColumnInt64(9),
		Failed: st.ColumnInt64(10), Low: st.ColumnInt64(11), Cell: column(st, 12),
	}
}
