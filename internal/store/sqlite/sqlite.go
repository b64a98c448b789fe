// Package sqlite keeps a store in one SQLite file.
//
// It must not know the engine, nor what a transition means: it checks the
// fences, writes the rows and reads them back. It is the only process that
// writes the file, held to that by a lock on FILE.lock, and keeps some of what
// is stored in memory because of it.
package sqlite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Options are choices at Open. The zero value is good.
type Options struct {
	// Sync is "full", the default: what Commit acknowledged survives a power
	// cut. With "normal" it survives a crash of the process, but a power cut may
	// take the last commits.
	Sync string
	// WAL is how many bytes of write-ahead log are laid out ahead, since
	// overwriting syncs twice as fast as appending; 0 means 16 MiB, and -1 none.
	// On a small disk it is less.
	WAL int64
	// PageSize is that of a new file; 0 means 8 KiB.
	PageSize int
	// Cache is the bytes of page cache for writing; 0 means 2 MiB. Keys come in
	// order, so more is slower: a commit walks all of it.
	Cache int64
}

const (
	defaultWAL      = 16 << 20
	defaultPageSize = 8 << 10
	defaultCache    = 2 << 20
	readConns       = 4
)

// Store is a store.Store in a SQLite file.
type Store struct {
	path string
	lock *fileLock
	read *readers

	// mu is held for each write transaction, and by the checkpointer for the
	// moment in which the log starts over.
	mu     sync.Mutex
	closed bool
	w      *writer

	names names
	keys  keys
	blobs atomic.Int64 // the last blob's number

	check checkpointer
}

var _ store.Store = (*Store)(nil)

// names are the task names by number-1. The writer appends; whoever reads takes
// the slice as it is.
type names struct{ list atomic.Pointer[[]string] }

func (n *names) name(id int64) string {
	if list := *n.list.Load(); id >= 1 && id <= int64(len(list)) {
		return list[id-1]
	}
	return ""
}

func (n *names) set(id int64, name string) {
	list := *n.list.Load()
	for int64(len(list)) < id {
		list = append(list, "")
	}
	list[id-1] = name
	n.list.Store(&list)
}

// Open opens the database at path, or makes it, and brings it to the present
// schema. Its errors wrap api.ErrStore and say what to do.
func Open(ctx context.Context, path string, opts Options) (_ *Store, err error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, readError(ctx, path, err)
	}
	path, err = checkPath(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path}
	s.names.list.Store(&[]string{})
	if s.lock, err = lockFile(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if err := checkFile(path); err != nil {
		return nil, err
	}
	conn, err := openWriter(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	if s.w, err = newWriter(s, conn); err != nil {
		return nil, openError(path, errors.Join(err, conn.Close()))
	}
	if err := s.load(); err != nil {
		return nil, openError(path, err)
	}
	size := layOut(path, opts.WAL)
	if s.read, err = openReaders(path, readConns); err != nil {
		return nil, openError(path, err)
	}
	if err := s.check.start(s, size); err != nil {
		return nil, openError(path, err)
	}
	if err := s.sweepBlobs(); err != nil { // it writes, so the checkpointer comes first
		return nil, openError(path, err)
	}
	return s, nil
}

func (o *Options) complete() error {
	switch o.Sync {
	case "":
		o.Sync = "full"
	case "full", "normal":
	default:
		return api.Errorf(api.ErrInvalid, "sync", "%q is neither full nor normal", o.Sync)
	}
	if o.WAL == 0 {
		o.WAL = defaultWAL
	}
	if o.PageSize == 0 {
		o.PageSize = defaultPageSize
	}
	if o.Cache == 0 {
		o.Cache = defaultCache
	}
	return nil
}

// load reads what is kept in memory.
func (s *Store) load() error {
	conn := s.w.conn
	err := sqlitex.Execute(conn, "SELECT id, name FROM task_name ORDER BY id", &sqlitex.ExecOptions{
		ResultFunc: func(st *sqlite.Stmt) error {
			s.names.set(st.ColumnInt64(0), st.ColumnText(1))
			s.w.nameIDs[st.ColumnText(1)] = st.ColumnInt64(0)
			return nil
		},
	})
	if err != nil {
		return err
	}
	return sqlitex.Execute(conn, `SELECT k.value, f.value, (SELECT max(id) FROM blob) FROM meta k, meta f
		WHERE k.key = 'keys' AND f.key = 'floor'`,
		&sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
			s.keys.next, s.keys.ceiling = st.ColumnInt64(0), st.ColumnInt64(0)
			s.w.floor = st.ColumnInt64(1)
			s.blobs.Store(st.ColumnInt64(2))
			return nil
		}})
}

// Location gives the path of the file.
func (s *Store) Location() string { return s.path }

// Close ends everything that is in progress and releases the file.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	if err := s.release(); err != nil {
		return api.Errorf(api.ErrStore, s.path, "closing: %w", err)
	}
	return nil
}

// release closes what was opened. The writer goes last: the last connection
// moves the log into the file and removes it, which a reader could not.
func (s *Store) release() error {
	err := s.check.stop()
	if s.read != nil {
		err = errors.Join(err, s.read.Close())
	}
	if s.w != nil {
		err = errors.Join(err, s.w.conn.Close())
	}
	return errors.Join(err, s.lock.release())
}

// write runs f, which writes about n bytes, in a transaction of its own, beside
// Commit.
func (s *Store) write(n int64, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.closedError()
	}
	err := s.w.transaction(f)
	s.check.note(n)
	return err
}

func (s *Store) closedError() error {
	return api.Errorf(api.ErrClosed, s.path, "the store is closed")
}
