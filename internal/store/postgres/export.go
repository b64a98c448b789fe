package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/dump"
)

// Export writes all that the schema holds, as of one moment. Whoever has it open goes on.
func Export(ctx context.Context, dsn string, to *dump.Writer) error {
	return beside(ctx, dsn, func(s *Store, conn *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, moment, func(tx pgx.Tx) error {
			x, err := s.schemaOf(ctx, tx)
			switch {
			case err != nil:
				return err
			case x.Version == 0:
				return s.absent()
			case len(x.Pending) > 0:
				return api.Errorf(api.ErrConflict, s.location, "has schema version %d, and exports are of version %d; bring it there first with: runnel db migrate", x.Version, x.Newest)
			}
			return (&exporter{ctx: ctx, s: s, tx: tx, to: to}).run()
		})
	})
}

type exporter struct {
	ctx context.Context //nolint:containedctx // it ends with the call
	s   *Store
	tx  pgx.Tx
	to  *dump.Writer
}

// left are rows of runs that are there. What is still to be removed of others need not
// be kept.
const left = " t WHERE NOT EXISTS (SELECT 1 FROM @.gone_run g WHERE g.id = t.run) "

// whole are the blobs that are complete and somebody's.
var whole = fmt.Sprintf("b.size >= 0 AND (b.run = %d OR EXISTS (SELECT 1 FROM @.run r WHERE r.id = b.run))", dump.OfRecord)

func (x *exporter) run() error {
	if err := x.header(); err != nil {
		return err
	}
	for _, part := range []func() error{
		func() error {
			return x.each("SELECT "+runStored+" FROM @.run r ORDER BY r.id", x.oneRun)
		},
		func() error { return x.each("SELECT "+taskColumns+" FROM @.task"+left+"ORDER BY run, id", x.task) },
		func() error { return x.each("SELECT "+frameColumns+" FROM @.frame"+left+"ORDER BY run, id", x.frame) },
		func() error {
			return x.each("SELECT "+blockColumns+" FROM @.block"+left+"ORDER BY run, first", x.block)
		},
		func() error { return x.each("SELECT "+lineColumns+" FROM @.log"+left+"ORDER BY run, line", x.line) },
		func() error { return x.each("SELECT task_id, value FROM @.keyed ORDER BY task_id", x.keyed) },
		func() error {
			return x.each("SELECT kind, key, value, blob FROM @.record ORDER BY kind, key", x.record)
		},
		func() error { return x.each("SELECT id, run, size FROM @.blob b WHERE "+whole+" ORDER BY id", x.blob) },
		func() error {
			return x.each("SELECT c.blob, c.number, c.data FROM @.blob_chunk c JOIN @.blob b ON b.id = c.blob WHERE "+whole+" ORDER BY c.blob, c.number", x.chunk)
		},
		x.to.End,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

const lineColumns = "run, line, task_run, task, attempt, time, level, text"

func (x *exporter) header() error {
	h := dump.Header{Store: "postgres", Schema: len(migrations), Made: time.Now().UTC()}
	const next = `SELECT (SELECT value FROM @.counter WHERE name = 'keys'),
		greatest((SELECT value FROM @.counter WHERE name = 'last'), (SELECT max(id) FROM @.run)) + 1,
		greatest((SELECT value FROM @.counter WHERE name = 'blobs'), 1)`
	if err := x.tx.QueryRow(x.ctx, x.s.sql(next)).Scan(&h.Next.Key, &h.Next.Run, &h.Next.Blob); err != nil {
		return err
	}
	return x.to.Begin(h)
}

// each calls row for the rows of a query as they come.
func (x *exporter) each(text string, row func(pgx.Rows) error) error {
	rows, err := x.tx.Query(x.ctx, x.s.sql(text))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (x *exporter) oneRun(row pgx.Rows) error {
	var r dump.Run
	var uid, name []byte
	err := row.Scan(&r.ID, &uid, &name, (*uint8)(&r.State), &r.Gen, &r.Epoch, &r.Base, &r.Created, &r.Finished, &r.Plan, &r.Cell)
	if err != nil {
		return err
	}
	copy(r.UID[:], uid)
	r.Name = dump.Text(name)
	return x.to.Run(&r)
}

func (x *exporter) task(row pgx.Rows) error {
	var t dump.Task
	var name []byte
	err := row.Scan(&t.ID, &t.Run, &t.Frame, &t.Place, &name, (*uint8)(&t.State), &t.Attempt, &t.Gen, &t.Cell)
	if err != nil {
		return err
	}
	t.Name = dump.Text(name)
	return x.to.Task(&t)
}

func (x *exporter) frame(row pgx.Rows) error {
	var f dump.Frame
	err := row.Scan(&f.Run, &f.ID, &f.Parent, &f.Place, &f.Kind, &f.State, &f.Base, &f.Source, &f.Count, &f.Pending, &f.Failed, &f.Low, &f.Cell)
	if err != nil {
		return err
	}
	return x.to.Frame(&f)
}

func (x *exporter) block(row pgx.Rows) error {
	var b dump.Block
	if err := row.Scan(&b.Run, &b.First, &b.Count, &b.Seq, &b.Frame); err != nil {
		return err
	}
	return x.to.Block(&b)
}

func (x *exporter) line(row pgx.Rows) error {
	var l dump.Line
	var taskRun, task, level, text []byte
	if err := row.Scan(&l.Run, &l.Line, &taskRun, &task, &l.Attempt, &l.Time, &level, &text); err != nil {
		return err
	}
	l.TaskRun, l.Task, l.Level, l.Text = dump.Text(taskRun), dump.Text(task), dump.Text(level), dump.Text(text)
	return x.to.Line(&l)
}

func (x *exporter) keyed(row pgx.Rows) error {
	var k dump.Keyed
	var id []byte
	if err := row.Scan(&id, &k.Value); err != nil {
		return err
	}
	k.TaskID = dump.Text(id)
	return x.to.Keyed(&k)
}

func (x *exporter) record(row pgx.Rows) error {
	var r dump.Record
	var kind, key []byte
	if err := row.Scan(&kind, &key, &r.Value, &r.Blob); err != nil {
		return err
	}
	r.Kind, r.Key = dump.Text(kind), dump.Text(key)
	return x.to.Record(&r)
}

func (x *exporter) blob(row pgx.Rows) error {
	var b dump.Blob
	if err := row.Scan(&b.ID, &b.Run, &b.Size); err != nil {
		return err
	}
	return x.to.Blob(&b)
}

func (x *exporter) chunk(row pgx.Rows) error {
	var c dump.Chunk
	if err := row.Scan(&c.Blob, &c.Number, &c.Data); err != nil {
		return err
	}
	return x.to.Chunk(&c)
}
