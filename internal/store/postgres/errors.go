package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// The SQLSTATE codes that are looked at.
const (
	uniqueViolation   = "23505"
	divisionByZero    = "22012" // raised by our own checks: see checked
	readOnly          = "25006"
	completionUnknown = "40003"
	noPrivilege       = "42501"
)

// passing are codes, and classes of two letters, of what may pass by itself:
// a deadlock, a full disk, too many connections, a shutdown, a failover.
var passing = []string{
	"08", "40", "53", "57P", readOnly,
	"55P03", // lock not available
	"57014", // statement_timeout, or a cancel by an operator
	"58030", // I/O error
}

func sqlState(err error) string {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code
	}
	return ""
}

// passes reports whether the cause of an error may go away by itself. What is
// no answer of the server is a broken connection, or none.
func passes(err error) bool {
	code := sqlState(err)
	if code == "" {
		return true
	}
	for _, p := range passing {
		if strings.HasPrefix(code, p) {
			return true
		}
	}
	return false
}

// writeError turns the error of a transaction that was not applied into one of
// the errors that package store promises.
func (s *Store) writeError(ctx context.Context, err error) error {
	code := sqlState(err)
	switch {
	case err == nil:
		return nil
	case isKnown(err), errors.Is(err, store.ErrFenced), errors.Is(err, store.ErrLost):
		return err
	case s.closed.Load():
		return s.closedError()
	case code == uniqueViolation, code == divisionByZero:
		return fmt.Errorf("%s: a row is not as expected: %w: %w", s.location, store.ErrFenced, err)
	case ctx.Err() != nil:
		return s.readError(ctx, err)
	case passes(err), errors.Is(err, store.ErrRetry):
		return api.Errorf(api.ErrStore, s.location, "not written, and tried again later: %w", errors.Join(store.ErrRetry, err))
	}
	return api.Errorf(api.ErrStore, s.location, "not written (SQLSTATE %s): %w", code, err)
}

func isNoRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

func isKnown(err error) bool {
	_, ok := errors.AsType[*api.Error](err)
	return ok
}

// readError turns the error of a reader into an api.Error.
func (s *Store) readError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case isKnown(err):
		return err
	case s.closed.Load():
		return s.closedError()
	case errors.Is(ctx.Err(), context.Canceled):
		return api.Errorf(api.ErrCancelled, s.location, "%w", ctx.Err())
	case ctx.Err() != nil:
		return api.Errorf(api.ErrTimeout, s.location, "%w", ctx.Err())
	case passes(err):
		return api.Errorf(api.ErrStore, s.location, "can't be read for now: %w", errors.Join(store.ErrRetry, err))
	}
	return api.Errorf(api.ErrStore, s.location, "can't be read (SQLSTATE %s): %w", sqlState(err), err)
}

// openError says what is wrong with a database that can't be opened, and what to
// do about it.
func (s *Store) openError(ctx context.Context, err error) error {
	code := sqlState(err)
	class := code[:min(2, len(code))]
	switch {
	case isKnown(err):
		return err
	case ctx.Err() != nil:
		return s.readError(ctx, err)
	case code == "3D000":
		return api.Errorf(api.ErrStore, s.location, "there is no such database; make it first (createdb): %w", err)
	case class == "28":
		return api.Errorf(api.ErrStore, s.location, "the user is not let in; check user and password of the dsn: %w", err)
	case code == noPrivilege:
		return api.Errorf(api.ErrStore, s.location, "the user may not do this; grant it CREATE on the database, or make schema %q and give it to the user: %w", s.schema, err)
	case code == readOnly:
		return api.Errorf(api.ErrStore, s.location, "is read-only, such as a standby; add target_session_attrs=read-write to the dsn, with all hosts: %w", err)
	case class == "53":
		return api.Errorf(api.ErrStore, s.location, "the server has no room, or no connection left: %w", err)
	case code == "":
		return api.Errorf(api.ErrStore, s.location, "can't be reached; check that the server runs and that the dsn names its host and port: %w", err)
	}
	return api.Errorf(api.ErrStore, s.location, "can't be opened (SQLSTATE %s): %w", code, err)
}

// lost is the error of everything that a session does after it was given up.
func (s *Store) lost() error {
	return api.Errorf(api.ErrStore, s.location, "session %d of this process showed no life for %s and was given up, so it changes nothing any more: %w",
		s.Session(), s.lease, store.ErrLost)
}
