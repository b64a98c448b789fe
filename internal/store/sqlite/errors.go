package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// errMisfit is a statement that did not change the rows it should have.
var errMisfit = errors.New("a row is not as expected")

// writeError turns the error of a write transaction, which was rolled back,
// into one of the errors that package store promises.
func writeError(path string, err error) error {
	code := sqlite.ErrCode(err)
	switch {
	case errors.Is(err, store.ErrFenced), errors.Is(err, store.ErrRetry), errors.Is(err, api.ErrConflict), errors.Is(err, api.ErrNotFound):
		return err
	case errors.Is(err, errMisfit), code.ToPrimary() == sqlite.ResultConstraint:
		return fmt.Errorf("%s: %w: %w", path, store.ErrFenced, err)
	case passes(path, code):
		return api.Errorf(api.ErrStore, path, "not written, and tried again later: %w", errors.Join(store.ErrRetry, err))
	}
	return api.Errorf(api.ErrStore, path, "not written: %w", err)
}

// passes reports whether the cause of an error may go away by itself: a full
// disk, a lock, no memory. A full disk also shows as an I/O error, where a
// file has to grow that SQLite maps into memory.
func passes(path string, code sqlite.ResultCode) bool {
	if is(code, sqlite.ResultFull, sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultNoMem) {
		return true
	}
	free, known := freeSpace(path)
	return is(code, sqlite.ResultIOErr) && known && free < 1<<20
}

// is reports whether a code is of one of these kinds.
func is(code sqlite.ResultCode, kinds ...sqlite.ResultCode) bool {
	return slices.Contains(kinds, code.ToPrimary())
}

// readError turns the error of a reader into an api.Error.
func readError(ctx context.Context, path string, err error) error {
	var known *api.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return api.Errorf(api.ErrCancelled, path, "%w", ctx.Err())
	case ctx.Err() != nil:
		return api.Errorf(api.ErrTimeout, path, "%w", ctx.Err())
	}
	return api.Errorf(api.ErrStore, path, "can't be read: %w", err)
}

// openError says what is wrong with a file that can't be opened, and what to
// do about it.
func openError(path string, err error) error {
	if _, ok := errors.AsType[*api.Error](err); ok {
		return err
	}
	code := sqlite.ErrCode(err)
	switch {
	case is(code, sqlite.ResultNotADB):
		return api.Errorf(api.ErrStore, path, "is not a SQLite database; choose another path, or move the file away")
	case is(code, sqlite.ResultCorrupt):
		return api.Errorf(api.ErrStore, path, "is damaged; restore a backup, or try to save what is left with sqlite3's .recover: %w", err)
	case is(code, sqlite.ResultReadOnly, sqlite.ResultPerm, sqlite.ResultCantOpen):
		return api.Errorf(api.ErrStore, path, "can't be opened for writing; check the permissions of the file and of its directory: %w", err)
	case is(code, sqlite.ResultBusy, sqlite.ResultLocked):
		return api.Errorf(api.ErrStore, path, "is locked by another program, such as a sqlite3 shell; end it and try again: %w", err)
	}
	if passes(path, code) || errors.Is(err, syscall.ENOSPC) {
		return api.Errorf(api.ErrStore, path, "can't be opened since the disk is full; make room and try again: %w", err)
	}
	return api.Errorf(api.ErrStore, path, "can't be opened: %w", err)
}
