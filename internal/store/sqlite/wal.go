package sqlite

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	busyTimeout = time.Second
	// checkEvery is how often at most the log is looked at.
	checkEvery = 20 * time.Millisecond
	// minLog is the smallest log that is worth moving, whatever was laid out.
	minLog = 1 << 20
)

// layOut makes the write-ahead log as long as it should be and gives its
// length: overwriting a file syncs about twice as fast as making it longer.
// SQLite takes what is behind its last frame for left over from before, as long
// as it does not carry the salt of the log's header; zeros do not. It is done
// while nobody writes, and not at all costs: on a small disk it is less.
func layOut(path string, want int64) int64 {
	f, err := os.OpenFile(path+"-wal", os.O_WRONLY, 0) //nolint:gosec // the path is the caller's choice
	if err != nil {
		return 0
	}
	size, err := fill(f, path, want)
	if err := errors.Join(err, f.Close()); err != nil {
		return 0
	}
	return size
}

func fill(f *os.File, path string, want int64) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size = info.Size()
	if free, known := freeSpace(path); known {
		want = min(want, size+free/8)
	}
	if size >= want {
		return size, nil
	}
	zeros := make([]byte, 1<<20)
	for at := size; at < want; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), want-at)], at)
		if at += int64(n); err != nil {
			return size, f.Truncate(size) // what was there stays
		}
	}
	return want, f.Sync()
}

// checkpointer moves the log into the file, on a connection and a goroutine of
// its own, so that no commit waits for that, unless it can't keep up. A log that
// grew as it liked would need its length in free space to be moved, which a full
// disk does not have.
type checkpointer struct {
	conn  *sqlite.Conn
	s     *Store
	page  int64 // bytes of a page
	limit int64 // length of the log, in bytes, at which it should start over
	wake  chan struct{}
	hurry chan struct{}
	quit  chan struct{}
	// behind is about how many bytes were written and not moved.
	behind atomic.Int64
	done   sync.WaitGroup
}

func (c *checkpointer) start(s *Store, laidOut int64) error {
	conn, err := sqlite.OpenConn(s.path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	conn.SetBusyTimeout(0) // it has time, and must not wait while it holds the writer up
	if err := pragmas(conn, "wal_autocheckpoint=0", "synchronous=full"); err != nil {
		return errors.Join(err, conn.Close())
	}
	c.page, err = pragmaInt(conn, "PRAGMA page_size")
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	c.conn, c.s, c.limit = conn, s, max(laidOut/4*3, minLog)
	c.wake, c.hurry, c.quit = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	c.done.Go(c.run)
	return nil
}

func (c *checkpointer) stop() error {
	if c.conn == nil {
		return nil
	}
	close(c.quit)
	c.done.Wait()
	return c.conn.Close()
}

// note says that about n bytes were written. The caller holds Store.mu, and no
// transaction is in progress.
func (c *checkpointer) note(n int64) {
	signal(c.wake)
	behind := c.behind.Add(n)
	if behind > c.limit/2 {
		signal(c.hurry)
	}
	if behind > 2*c.limit {
		_, _, _ = c.checkpoint(c.s.w.conn, "passive") // tried again with the next commit
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (c *checkpointer) run() {
	timer := time.NewTimer(0)
	<-timer.C
	for {
		select {
		case <-c.wake:
		case <-c.quit:
			return
		}
		c.step()
		timer.Reset(checkEvery)
		select {
		case <-timer.C:
		case <-c.hurry:
		case <-c.quit:
			return
		}
	}
}

// step moves what is in the log once that is a good deal: the more at a time,
// the more often a page was written over meanwhile. When the log has become
// long, what is left is moved while no commit is in progress; then the next one
// finds all of it moved and starts over at the beginning. An error, such as a
// full disk or a reader in the way, is no matter: the log is what counts, and
// it is tried again after the next commit.
func (c *checkpointer) step() {
	log, moved, err := c.checkpoint(c.conn, "noop")
	if err != nil || log-moved < c.limit/2 && log < c.limit {
		return
	}
	if log == moved {
		return // it starts over with the next commit, or a reader is in the way
	}
	if log, _, err = c.checkpoint(c.conn, "passive"); err != nil || log < c.limit {
		return
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	_, _, _ = c.checkpoint(c.conn, "passive") //nolint:dogsled // see above
}

// checkpoint runs one and gives the length of the log, and how much of it was
// moved, in bytes.
func (c *checkpointer) checkpoint(conn *sqlite.Conn, mode string) (log, moved int64, err error) {
	st, err := conn.Prepare("PRAGMA wal_checkpoint(" + mode + ")")
	if err != nil {
		return 0, 0, err
	}
	if _, err := st.Step(); err != nil {
		return 0, 0, err
	}
	if busy := st.ColumnBool(0); !busy {
		log, moved = st.ColumnInt64(1)*c.page, st.ColumnInt64(2)*c.page
		c.behind.Store(log - moved)
	}
	return log, moved, st.Reset()
}
