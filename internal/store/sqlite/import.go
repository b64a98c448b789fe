package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/dump"
)

// Import fills the file at path, which is empty or not there, with all that an export
// holds: all of it or, whatever happens meanwhile, nothing.
func Import(ctx context.Context, path string, from *dump.Reader) error {
	path, err := checkPath(path)
	if err != nil {
		return err
	}
	_, missing := os.Stat(path)
	err = alone(path, func() error {
		err := importInto(ctx, path, from)
		if err != nil && errors.Is(missing, os.ErrNotExist) {
			err = errors.Join(err, discard(path))
		}
		return err
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return readError(ctx, path, err)
	case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultConstraint:
		return api.Errorf(api.ErrInvalid, "import", "the file has a row twice: %w", err)
	}
	return openError(path, err)
}

func importInto(ctx context.Context, path string, from *dump.Reader) (err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return err
	}
	defer func() {
		conn.SetInterrupt(nil)
		err = errors.Join(err, conn.Close())
	}()
	conn.SetInterrupt(ctx.Done())
	conn.SetBusyTimeout(busyTimeout)
	if err := identify(conn, path); err != nil {
		return err
	}
	if err := refuseFull(conn, path); err != nil {
		return err
	}
	// What is added to an empty file needs no log to be undone, so the transaction may
	// be of any size: the journal has the few pages that were there.
	err = pragmas(conn, fmt.Sprintf("page_size=%d", defaultPageSize), "journal_mode=delete", "synchronous=full", "cache_size=-65536", "temp_store=memory")
	if err != nil {
		return err
	}
	if err := migrate(ctx, conn, path); err != nil {
		return err
	}
	x := &importer{conn: conn, from: from, names: map[dump.Text]int64{}}
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	for _, part := range []func() error{
		x.runs, x.tasks, x.frames, x.blocks, x.lines, x.keyed, x.records, x.blobs, x.chunks, from.End, x.numbers,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// refuseFull refuses a file that holds something.
func refuseFull(conn *sqlite.Conn, path string) error {
	s, err := schemaOf(conn)
	if err != nil || s.Version == 0 {
		return err
	}
	for _, name := range tables {
		n, err := pragmaInt(conn, "SELECT EXISTS (SELECT 1 FROM "+name+")")
		if err != nil {
			return err
		}
		if n > 0 {
			return api.Errorf(api.ErrConflict, path, "is not empty, there are rows in the table %s; import into a new file", name)
		}
	}
	return nil
}

type importer struct {
	conn  *sqlite.Conn
	from  *dump.Reader
	names map[dump.Text]int64
}

// insert adds a row for each item.
func insert[T any](x *importer, table, columns string, items iter.Seq2[*T, error], bind func(st *sqlite.Stmt, v *T) error) error {
	b, err := insertBulk(x.conn, table, columns, "")
	if err != nil {
		return err
	}
	st := b.sized[len(b.sized)-1].st // for one row
	for v, err := range items {
		if err == nil {
			err = bind(st, v)
		}
		if err == nil {
			err = exec(st)
		}
		if err != nil {
			return err
		}
	}
	return st.ClearBindings()
}

// bindAll binds integers, texts and cells in their order.
func bindAll(st *sqlite.Stmt, values ...any) {
	for i, v := range values {
		switch v := v.(type) {
		case int64:
			st.BindInt64(i+1, v)
		case int32:
			st.BindInt64(i+1, int64(v))
		case uint8:
			st.BindInt64(i+1, int64(v))
		case api.State:
			st.BindInt64(i+1, int64(v))
		case dump.Text:
			st.BindText(i+1, string(v))
		case []byte:
			bindCell(st, i+1, v)
		default:
			panic(fmt.Sprintf("sqlite: %T can't be bound", v)) // the callers are below
		}
	}
}

func (x *importer) runs() error {
	return insert(x, "run", runColumns, x.from.Runs(), func(st *sqlite.Stmt, r *dump.Run) error {
		bindAll(st, r.ID, r.UID[:], r.Name, r.State, r.Gen, r.Epoch, r.Base, r.Created, r.Finished, r.Plan, r.Cell)
		return nil
	})
}

func (x *importer) tasks() error {
	return insert(x, "task", taskColumns, x.from.Tasks(), func(st *sqlite.Stmt, r *dump.Task) error {
		name, known := x.names[r.Name]
		if !known {
			name = int64(len(x.names)) + 1
			x.names[r.Name] = name
			err := sqlitex.Execute(x.conn, "INSERT INTO task_name (id, name) VALUES (?, ?)", &sqlitex.ExecOptions{Args: []any{name, string(r.Name)}})
			if err != nil {
				return err
			}
		}
		bindAll(st, r.ID, r.Run, r.Frame, r.Place, name, r.State, r.Attempt, r.Gen, r.Cell)
		return nil
	})
}

func (x *importer) frames() error {
	return insert(x, "frame", frameColumns, x.from.Frames(), func(st *sqlite.Stmt, r *dump.Frame) error {
		bindAll(st, r.Run, r.ID, r.Parent, r.Place, r.Kind, r.State, r.Base, r.Source, r.Count, r.Pending, r.Failed, r.Low, r.Cell)
		return nil
	})
}

func (x *importer) blocks() error {
	return insert(x, "block", blockColumns, x.from.Blocks(), func(st *sqlite.Stmt, r *dump.Block) error {
		bindAll(st, r.Run, r.First, r.Count, r.Seq, r.Frame)
		return nil
	})
}

func (x *importer) lines() error {
	return insert(x, "log", logColumns, x.from.Lines(), func(st *sqlite.Stmt, r *dump.Line) error {
		bindAll(st, r.Run, r.Line, r.TaskRun, r.Task, r.Attempt, r.Time, r.Level, r.Text)
		return nil
	})
}

func (x *importer) keyed() error {
	return insert(x, "keyed", "task_id, value", x.from.Keyed(), func(st *sqlite.Stmt, r *dump.Keyed) error {
		st.BindBytes(1, []byte(r.TaskID))
		st.BindBytes(2, r.Value)
		return nil
	})
}

func (x *importer) records() error {
	return insert(x, "record", "kind, key, value, blob", x.from.Records(), func(st *sqlite.Stmt, r *dump.Record) error {
		st.BindText(1, string(r.Kind))
		st.BindBytes(2, []byte(r.Key))
		st.BindBytes(3, r.Value)
		st.BindInt64(4, r.Blob)
		return nil
	})
}

func (x *importer) blobs() error {
	return insert(x, "blob", "id, run, size", x.from.Blobs(), func(st *sqlite.Stmt, r *dump.Blob) error {
		bindAll(st, r.ID, r.Run, r.Size)
		return nil
	})
}

func (x *importer) chunks() error {
	return insert(x, "blob_chunk", "id, data", x.from.Chunks(), func(st *sqlite.Stmt, r *dump.Chunk) error {
		bindAll(st, r.Blob<<chunkShift+r.Number, r.Data)
		return nil
	})
}

// numbers has those go on that are given out, and enters the live runs: see live.go.
func (x *importer) numbers() error {
	n := x.from.Header.Next
	err := sqlitex.Execute(x.conn, "INSERT INTO live_run (id) SELECT id FROM run WHERE state"+firstFinal("<"), nil)
	for key, value := range map[string]int64{"keys": n.Key, "last": n.Run - 1, "floor": n.Run} {
		if err == nil {
			err = sqlitex.Execute(x.conn, "UPDATE meta SET value = ? WHERE key = ?", &sqlitex.ExecOptions{Args: []any{value, key}})
		}
	}
	return err
}
