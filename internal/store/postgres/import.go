package postgres

import (
	"context"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/dump"
)

// Import fills the schema, which is empty or not there, with all that an export holds:
// all of it or, whatever happens meanwhile, nothing. No process may have it open.
func Import(ctx context.Context, dsn string, from *dump.Reader) error {
	return beside(ctx, dsn, func(s *Store, conn *pgx.Conn) error {
		if err := s.migrate(ctx, conn); err != nil {
			return err
		}
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			x := &importer{ctx: ctx, s: s, tx: tx, from: from}
			if err := x.alone(); err != nil {
				return err
			}
			if err := x.refuseFull(); err != nil {
				return err
			}
			return x.run()
		})
		if sqlState(err) == uniqueViolation {
			return api.Errorf(api.ErrInvalid, "import", "the file has a row twice: %w", err)
		}
		return err
	})
}

type importer struct {
	ctx  context.Context //nolint:containedctx // it ends with the call
	s    *Store
	tx   pgx.Tx
	from *dump.Reader
}

// alone keeps processes from joining until the transaction ends, and refuses if one is
// there. Those that show no life are given up: they write nothing any more.
func (x *importer) alone() error {
	if _, err := x.tx.Exec(x.ctx, x.s.sql("LOCK TABLE @.process IN SHARE ROW EXCLUSIVE MODE")); err != nil {
		return err
	}
	users, err := x.s.users(x.ctx, x.tx)
	if err != nil {
		return err
	}
	var names []string
	for _, u := range users {
		if !u.Silent {
			names = append(names, u.Name)
		}
	}
	if len(names) > 0 {
		return api.Errorf(api.ErrConflict, x.s.location, "is open in other processes (%s); end them first", strings.Join(names, "; "))
	}
	for _, table := range []string{"writer", "process", "duty", "letter"} {
		if _, err := x.tx.Exec(x.ctx, x.s.sql("DELETE FROM @."+table)); err != nil {
			return err
		}
	}
	return nil
}

// refuseFull refuses a schema that holds something.
func (x *importer) refuseFull() error {
	for _, name := range tables {
		var full bool
		if err := x.tx.QueryRow(x.ctx, x.s.sql("SELECT EXISTS (SELECT 1 FROM @."+name+")")).Scan(&full); err != nil {
			return err
		}
		if full {
			return api.Errorf(api.ErrConflict, x.s.location, "is not empty, there are rows in the table %s; import into another schema, with schema=NAME in the dsn", name)
		}
	}
	return nil
}

func (x *importer) run() error {
	for _, part := range []func() error{
		x.runs, x.tasks, x.frames, x.blocks, x.lines, x.keyed, x.records, x.blobs, x.chunks, x.from.End, x.numbers,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	for _, name := range tables {
		if _, err := x.tx.Exec(x.ctx, x.s.sql("ANALYZE @."+name)); err != nil {
			return err
		}
	}
	return nil
}

// fill streams a row for each item.
func fill[T any](x *importer, table, columns string, items iter.Seq2[*T, error], values func(v *T) []any) error {
	next, stop := iter.Pull2(items)
	defer stop()
	var damage error
	_, err := x.tx.CopyFrom(x.ctx, pgx.Identifier{x.s.schema, table}, strings.Split(columns, ", "), pgx.CopyFromFunc(func() ([]any, error) {
		v, err, ok := next()
		if err != nil || !ok {
			damage = err
			return nil, err
		}
		return values(v), nil
	}))
	if damage != nil { // the server only says that the stream was broken off
		return damage
	}
	return err
}

func (x *importer) runs() error {
	// They are nobody's, for whoever adopts those that live.
	const columns = "id, uid, name, state, gen, epoch, base, created, finished, owner, plan, cell"
	return fill(x, "run", columns, x.from.Runs(), func(r *dump.Run) []any {
		return []any{
			r.ID, r.UID[:], []byte(r.Name), int16(r.State), r.Gen, r.Epoch, r.Base, r.Created, r.Finished, int64(0), r.Plan, r.Cell,
		}
	})
}

func (x *importer) tasks() error {
	return fill(x, "task", taskColumns, x.from.Tasks(), func(r *dump.Task) []any {
		return []any{r.ID, r.Run, r.Frame, r.Place, []byte(r.Name), int16(r.State), r.Attempt, r.Gen, r.Cell}
	})
}

func (x *importer) frames() error {
	return fill(x, "frame", frameColumns, x.from.Frames(), func(r *dump.Frame) []any {
		return []any{
			r.Run, r.ID, r.Parent, r.Place, int16(r.Kind), int16(r.State), r.Base, r.Source, r.Count, r.Pending, r.Failed, r.Low, r.Cell,
		}
	})
}

func (x *importer) blocks() error {
	return fill(x, "block", blockColumns, x.from.Blocks(), func(r *dump.Block) []any {
		return []any{r.Run, r.First, r.Count, r.Seq, r.Frame}
	})
}

func (x *importer) lines() error {
	return fill(x, "log", lineColumns, x.from.Lines(), func(r *dump.Line) []any {
		return []any{r.Run, r.Line, []byte(r.TaskRun), []byte(r.Task), r.Attempt, r.Time, []byte(r.Level), []byte(r.Text)}
	})
}

func (x *importer) keyed() error {
	return fill(x, "keyed", "task_id, value", x.from.Keyed(), func(r *dump.Keyed) []any { return []any{[]byte(r.TaskID), r.Value} })
}

func (x *importer) records() error {
	return fill(x, "record", "kind, key, value, blob", x.from.Records(), func(r *dump.Record) []any {
		return []any{[]byte(r.Kind), []byte(r.Key), r.Value, r.Blob}
	})
}

func (x *importer) blobs() error {
	return fill(x, "blob", "id, run, size, owner", x.from.Blobs(), func(r *dump.Blob) []any { return []any{r.ID, r.Run, r.Size, int64(0)} })
}

func (x *importer) chunks() error {
	return fill(x, "blob_chunk", "blob, number, data", x.from.Chunks(), func(r *dump.Chunk) []any {
		return []any{r.Blob, int32(r.Number), r.Data}
	})
}

// numbers has those go on that are given out.
func (x *importer) numbers() error {
	n := x.from.Header.Next
	for name, value := range map[string]int64{"keys": n.Key, "blobs": n.Blob, "last": n.Run - 1} {
		const raise = "UPDATE @.counter SET value = greatest(value, $2) WHERE name = $1"
		if _, err := x.tx.Exec(x.ctx, x.s.sql(raise), name, value); err != nil {
			return err
		}
	}
	_, err := x.tx.Exec(x.ctx, "SELECT setval($1::text::regclass, greatest($2::bigint, nextval($1::text::regclass)), false)", x.s.tables+"run_number", n.Run)
	return err
}
