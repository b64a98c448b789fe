package sqlite

import (
	"context"
	"errors"
	"os"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/report"
)

// Migrate brings the file at path to the present schema, and makes it if it is not
// there. Dry, it does nothing. It gives the schema that it found.
func Migrate(ctx context.Context, path string, dry bool) (was report.Schema, err error) {
	if r, err := Look(ctx, path); err == nil {
		was = r.Schema
	} else if !errors.Is(err, api.ErrNotFound) {
		return was, err
	} else if was, err = none(); err != nil {
		return was, err
	}
	if dry || len(was.Pending) == 0 {
		return was, nil
	}
	s, err := Open(ctx, path, Options{WAL: -1})
	if err != nil {
		return was, err
	}
	return was, s.Close()
}

// none is the schema of a file that is not there.
func none() (s report.Schema, err error) {
	conn, err := sqlite.OpenConn(":memory:", sqlite.OpenReadWrite)
	if err != nil {
		return s, err
	}
	s, err = schemaOf(conn)
	return s, errors.Join(err, conn.Close())
}

// Vacuum writes the file at path anew, without the room of what was removed, and gives
// its length before and after. Nobody may have it open meanwhile.
func Vacuum(ctx context.Context, path string) (before, after int64, err error) {
	if path, err = existing(path); err != nil {
		return 0, 0, err
	}
	before = length(path) + length(path+"-wal")
	// What is written anew is in the log before it is in the file.
	if free, known := freeSpace(path); known && free < before {
		return 0, 0, api.Errorf(api.ErrStore, path, "the disk has %d bytes left, and writing the file anew takes up to %d; make room", free, before)
	}
	err = alone(path, func() error {
		conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
		if err != nil {
			return err
		}
		conn.SetInterrupt(ctx.Done())
		conn.SetBusyTimeout(busyTimeout)
		err = identify(conn, path)
		if err == nil {
			err = pragmas(conn, "synchronous=full")
		}
		if err == nil {
			err = sqlitex.ExecuteTransient(conn, "VACUUM", nil)
		}
		conn.SetInterrupt(nil)
		if err == nil {
			_, err = pragma(conn, "wal_checkpoint(truncate)")
		}
		return errors.Join(err, conn.Close())
	})
	if err != nil && ctx.Err() != nil {
		return 0, 0, readError(ctx, path, err)
	}
	if err != nil {
		return 0, 0, openError(path, err)
	}
	return before, length(path) + length(path+"-wal"), nil
}

// alone runs f while this process has the file.
func alone(path string, f func() error) error {
	lock, err := lockFile(path)
	if err != nil {
		return err
	}
	err = checkFile(path)
	if err == nil {
		err = f()
	}
	return errors.Join(err, lock.release())
}

// discard removes a file that was made and did not come to be.
func discard(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
