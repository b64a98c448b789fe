package sqlite

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/dump"
)

// Export writes all that the file at path holds, as of one moment. An engine may have
// it open: it goes on, though its log grows meanwhile.
func Export(ctx context.Context, path string, to *dump.Writer) error {
	return beside(ctx, path, func(conn *sqlite.Conn, path string) error {
		s, err := schemaOf(conn)
		if err != nil {
			return err
		}
		if len(s.Pending) > 0 {
			return api.Errorf(api.ErrConflict, path, "has schema version %d, and exports are of version %d; bring it there first with: runnel db migrate", s.Version, s.Newest)
		}
		x := &exporter{conn: conn, to: to, names: map[int64]dump.Text{}}
		for _, part := range []func() error{
			x.header, x.runs, x.readNames, x.tasks, x.frames, x.blocks, x.lines, x.keyed, x.records, x.blobs, x.chunks, to.End,
		} {
			if err := part(); err != nil {
				return err
			}
		}
		return nil
	})
}

type exporter struct {
	conn  *sqlite.Conn
	to    *dump.Writer
	names map[int64]dump.Text
}

func (x *exporter) each(query string, row func(st *sqlite.Stmt) error) error {
	return sqlitex.ExecuteTransient(x.conn, query, &sqlitex.ExecOptions{ResultFunc: row})
}

func (x *exporter) header() error {
	h := dump.Header{Store: "sqlite", Schema: len(schema.Migrations), Made: time.Now().UTC()}
	err := x.each(`SELECT k.value, max(l.value, coalesce((SELECT max(id) FROM run), 0)) + 1, coalesce((SELECT max(id) FROM blob), 0) + 1
		FROM meta k, meta l WHERE k.key = 'keys' AND l.key = 'last'`, func(st *sqlite.Stmt) error {
		h.Next = dump.Next{Key: st.ColumnInt64(0), Run: st.ColumnInt64(1), Blob: st.ColumnInt64(2)}
		return nil
	})
	if err != nil {
		return err
	}
	return x.to.Begin(h)
}

func (x *exporter) runs() error {
	return x.each("SELECT "+runColumns+" FROM run ORDER BY id", func(st *sqlite.Stmt) error {
		r := dump.Run{
			ID: st.ColumnInt64(0), Name: text(st, 2), State: api.State(st.ColumnInt64(3)), Gen: st.ColumnInt32(4), Epoch: st.ColumnInt32(5),
			Base: st.ColumnInt64(6), Created: st.ColumnInt64(7), Finished: st.ColumnInt64(8), Plan: column(st, 9), Cell: column(st, 10),
		}
		st.ColumnBytes(1, r.UID[:])
		return x.to.Run(&r)
	})
}

func text(st *sqlite.Stmt, i int) dump.Text { return dump.Text(column(st, i)) }

// value copies one that is there, though it may be empty.
func value(st *sqlite.Stmt, i int) []byte { return append([]byte{}, column(st, i)...) }

func (x *exporter) readNames() error {
	return x.each("SELECT id, name FROM task_name", func(st *sqlite.Stmt) error {
		x.names[st.ColumnInt64(0)] = text(st, 1)
		return nil
	})
}

// left are rows of runs that are there. What is still to be removed of others need not
// be kept.
const left = " WHERE run NOT IN (SELECT id FROM gone_run)"

func (x *exporter) tasks() error {
	return x.each("SELECT "+taskColumns+" FROM task"+left+" ORDER BY id", func(st *sqlite.Stmt) error {
		name, ok := x.names[st.ColumnInt64(4)]
		if !ok {
			return api.Errorf(api.ErrStore, "task", "the name with number %d is missing; the file is damaged", st.ColumnInt64(4))
		}
		return x.to.Task(&dump.Task{
			ID: st.ColumnInt64(0), Run: st.ColumnInt64(1), Frame: st.ColumnInt64(2), Place: st.ColumnInt32(3), Name: name,
			State: api.State(st.ColumnInt64(5)), Attempt: st.ColumnInt32(6), Gen: st.ColumnInt32(7), Cell: column(st, 8),
		})
	})
}

func (x *exporter) frames() error {
	return x.each("SELECT "+frameColumns+" FROM frame"+left+" ORDER BY run, id", func(st *sqlite.Stmt) error {
		f := frameRow(st)
		return x.to.Frame(&dump.Frame{
			Run: f.Run, ID: f.ID, Parent: f.Parent, Place: f.Place, Kind: uint8(f.Kind), State: uint8(f.State), Base: f.Base, Source: f.Source,
			Count: f.Count, Pending: f.Pending, Failed: f.Failed, Low: f.Low, Cell: f.Cell,
		})
	})
}

func (x *exporter) blocks() error {
	return x.each("SELECT "+blockColumns+" FROM block"+left+" ORDER BY run, first", func(st *sqlite.Stmt) error {
		return x.to.Block(&dump.Block{
			Run: st.ColumnInt64(0), First: st.ColumnInt64(1), Count: st.ColumnInt64(2), Seq: st.ColumnInt64(3), Frame: st.ColumnInt64(4),
		})
	})
}

func (x *exporter) lines() error {
	return x.each("SELECT "+logColumns+" FROM log"+left+" ORDER BY run, line", func(st *sqlite.Stmt) error {
		return x.to.Line(&dump.Line{
			Run: st.ColumnInt64(0), Line: st.ColumnInt64(1), TaskRun: text(st, 2), Task: text(st, 3), Attempt: st.ColumnInt32(4),
			Time: st.ColumnInt64(5), Level: text(st, 6), Text: text(st, 7),
		})
	})
}

func (x *exporter) keyed() error {
	return x.each("SELECT task_id, value FROM keyed ORDER BY task_id", func(st *sqlite.Stmt) error {
		return x.to.Keyed(&dump.Keyed{TaskID: text(st, 0), Value: value(st, 1)})
	})
}

func (x *exporter) records() error {
	return x.each("SELECT kind, key, value, blob FROM record ORDER BY kind, key", func(st *sqlite.Stmt) error {
		return x.to.Record(&dump.Record{Kind: text(st, 0), Key: text(st, 1), Value: value(st, 2), Blob: st.ColumnInt64(3)})
	})
}

// whole are the blobs that are complete and somebody's.
var whole = fmt.Sprintf("size >= 0 AND (b.run = %d OR EXISTS (SELECT 1 FROM run WHERE run.id = b.run))", dump.OfRecord)

func (x *exporter) blobs() error {
	return x.each("SELECT id, run, size FROM blob b WHERE "+whole+" ORDER BY id", func(st *sqlite.Stmt) error {
		return x.to.Blob(&dump.Blob{ID: st.ColumnInt64(0), Run: st.ColumnInt64(1), Size: st.ColumnInt64(2)})
	})
}

func (x *exporter) chunks() error {
	query := fmt.Sprintf("SELECT c.id, c.data FROM blob_chunk c JOIN blob b ON b.id = c.id >> %d WHERE %s ORDER BY c.id", chunkShift, whole)
	return x.each(query, func(st *sqlite.Stmt) error {
		key := st.ColumnInt64(0)
		return x.to.Chunk(&dump.Chunk{Blob: key >> chunkShift, Number: key & (1<<chunkShift - 1), Data: column(st, 1)})
	})
}
