package runnel

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/internal/store"
)

// SubmitTx submits a pipeline as part of a transaction of your own: the run exists
// if and only if that commits, together with what it writes to your tables. It
// gives the run's id, for [Engine.Attach] once the transaction has committed;
// before, nobody knows the run ([ErrNotFound]).
//
// The transaction must be one of the PostgreSQL database that the engine has open,
// by whatever connection; its role needs USAGE of the engine's schema, INSERT on the
// tables run and letter in it, and SELECT on counter. SubmitTx adds two rows. While it is open, for however long, it keeps nobody waiting; the run
// begins within milliseconds of its commit, or within a few seconds if this process
// has gone by then, or if nobody is notified since a pooler is between.
//
// Errors: [ErrInvalid] if the engine has another kind of store, or the transaction
// another database; else as [Engine.Submit]. After an error of the database the
// transaction is one that can only be rolled back, as always in PostgreSQL.
func (e *Engine) SubmitTx[R any](ctx context.Context, tx pgx.Tx, p Runnable[R], opts ...SubmitOption) (id string, err error) {
	return e.submitTx(ctx, runnablePlan(p), opts, func(ctx context.Context, text string, args ...any) (int64, error) {
		tag, err := tx.Exec(ctx, text, args...)
		return tag.RowsAffected(), err
	})
}

// SubmitSQLTx is [Engine.SubmitTx] for a transaction of database/sql, with a driver
// for PostgreSQL such as pgx's own.
func (e *Engine) SubmitSQLTx[R any](ctx context.Context, tx *sql.Tx, p Runnable[R], opts ...SubmitOption) (id string, err error) {
	return e.submitTx(ctx, runnablePlan(p), opts, func(ctx context.Context, text string, args ...any) (int64, error) {
		result, err := tx.ExecContext(ctx, text, args...)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	})
}

func (e *Engine) submitTx(ctx context.Context, p plan, opts []SubmitOption, in store.Statement) (string, error) {
	if err := p.problem(); err != nil {
		return "", err
	}
	s := submitted(opts)
	if err := errors.Join(s.outside(), s.unkeyed()); err != nil {
		return "", err
	}
	if e.remote != nil {
		return "", e.unserved("a transaction of the caller")
	}
	return e.inner().SubmitTx(ctx, in, p.spec(), s.name)
}
