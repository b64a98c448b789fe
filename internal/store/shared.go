package store

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// ErrLost is the error of a session that the others gave up, since it did not
// renew its lease: its process stood still, or was cut off from the database.
// Nothing that it writes is applied any more. [Shared.Rejoin] begins another.
var ErrLost = errors.New("store: this session was given up")

// Lanes is by how much run numbers differ that a session reserves together. So a store
// may keep rows by the remainder of their run's number, and sessions that write at the
// same moment do it in different places.
const Lanes = 8

// Shared is a store that several processes work on at a time, each with a
// session of its own. A live run belongs to one session, that of the process
// whose engine decides what follows in it; the run of a NewRun to the one that
// commits it, unless it is Loose. A session lives by a lease: when it is not renewed in time, any
// other gives the session up, and its runs are there for whoever adopts them.
//
// The fence is the session itself: what it writes (Commit, PutRecords, PutBlob,
// ReserveKeys, and all below) and giving it up exclude each other in the
// database. So once a session is given up, all that it ever did is there to be
// read, and nothing is added: a process that wakes up after an hour changes
// nothing. A Commit about a live run of another session fails with ErrFenced; one
// that makes a run live again which is final has it from then on.
type Shared interface {
	Store
	// Session is the number of this one. It is never given out again.
	Session() int64
	// Rejoin begins a new session after ErrLost.
	Rejoin(ctx context.Context) error
	// Beat renews the lease, tells the others what this process offers, gives up
	// those whose lease has run out, and gives all sessions that live, this one
	// among them, by number. Lost counts the sessions that this call gave up.
	Beat(ctx context.Context, offer []byte) (live []Member, lost int, err error)
	// Orphans reads up to limit live runs after a number whose session has ended.
	Orphans(ctx context.Context, after int64, limit int) ([]RunRow, error)
	// Adopt makes runs this session's that are orphans still, and says which.
	Adopt(ctx context.Context, runs []int64) (adopted []int64, err error)
	// Owner is the session that a run belongs to, 0 if that has ended, or the
	// run.
	Owner(ctx context.Context, run int64) (int64, error)
	// Hold makes a duty this session's if it wants it and no live session has it,
	// lets it go if it does not want it, and gives the one that has it now, 0 for
	// none. Duties are for what one process at a time is to do.
	Hold(ctx context.Context, duty string, want bool) (holder int64, err error)
	// ReserveRuns gives out n run numbers that no run ever had: the first, and each
	// Lanes more than the one before.
	ReserveRuns(ctx context.Context, n int64) (first int64, err error)
	// Send puts letters into the boxes of sessions, durably. Those to sessions that
	// have ended are lost.
	Send(ctx context.Context, letters []Letter) error
	// Receive takes letters that came earlier, by their ids, out of this session's
	// box, and gives what is in it then, up to limit, the oldest first.
	Receive(ctx context.Context, done []int64, limit int) ([]Letter, error)
	// Bell rings when there may be letters. It may be late, or not ring at all.
	Bell() <-chan struct{}
}

// Member is a session that lives.
type Member struct {
	Session int64
	Name    string // of the process, for people
	Started int64  // microseconds since 1970
	Offer   []byte // as at its last Beat
}

// ProcessName tells people which process this is.
func ProcessName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, pid %d", host, os.Getpid())
}

// Letter is a message from one session to another.
type Letter struct {
	ID       int64 // given by the store
	From, To int64
	Body     []byte
}

// Statement runs one statement in an open transaction of somebody else's, and
// gives how many rows it wrote or found.
type Statement func(ctx context.Context, sql string, args ...any) (rows int64, err error)

// Outside is a shared store into which others can put a run by a transaction of
// their own, together with what that writes to their tables.
type Outside interface {
	Shared
	// InsertRun puts a new run, which belongs to no session, and a letter into the
	// transaction. Both are there from when that commits, and never if it does not.
	// It waits for nobody, and nobody waits for it.
	InsertRun(ctx context.Context, in Statement, run *RunRow, letter Letter) error
}
