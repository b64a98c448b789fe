// Package store says what Runnel asks of a database: one interface, its rows,
// and what it promises. The implementations are memory, sqlite and
// postgres; storetest holds all of them to the same promises.
//
// A store must not know why: it applies transitions and reads rows. Which
// transition comes next is decided by the packages pipeline and engine.
//
// # Keys
//
// Task runs and frames are known by integer keys out of ranges that ReserveKeys
// gives out. A key is decided before the row exists: the keys of a chain's
// steps and of a group's children are offsets from a base that is itself
// committed before the first of them starts. So an attempt that ran before a
// crash and its repetition after it have the same key. No two runs share a key:
// who gives them out sees to that, no store does. So a store may look for a row
// by run and key, and keep what is of a run in one place.
package store

import (
	"context"
	"errors"
	"io"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

// ErrFenced is the error of a batch with a transition that does not fit what is
// stored: another epoch of the run, another attempt, a final state, a key that
// exists, a record that is not as expected. Nothing of the batch was applied.
var ErrFenced = errors.New("store: fenced")

// ErrRetry is the error of a batch that was not applied for a reason that may
// pass by itself, such as a full disk or a lock.
var ErrRetry = errors.New("store: try again")

// Store is a database of runs. Methods may be called from several goroutines;
// Commit and PutBlob are serialised by the store itself. Errors wrap one of the
// errors of package api, ErrFenced, ErrRetry or ErrLost.
type Store interface {
	// Commit applies all transitions or none, durably: when it returns without
	// error they survive what the store promises to survive. It returns the
	// frames that one of the joins brought to zero; these are Closing now, and
	// no other Commit returns them. A frame may occur in many joins of a batch.
	Commit(ctx context.Context, batch []*Transition) (closed []FrameRef, err error)
	// ReserveKeys gives out n keys that were never given out before, durably:
	// first, first+1, … Keys start at 1.
	ReserveKeys(ctx context.Context, n int64) (first int64, err error)
	// LastRun is the highest run number that was ever stored, 0 for none.
	LastRun(ctx context.Context) (int64, error)
	// Run reads one run, or fails with api.ErrNotFound.
	Run(ctx context.Context, id int64) (RunRow, error)
	// LiveRuns reads up to limit runs that are not final, by number, after the
	// given one.
	LiveRuns(ctx context.Context, after int64, limit int) ([]RunRow, error)
	// Runs reads up to limit runs below the given number (0: from the newest),
	// newest first, that the filter chooses. Its Before and Limit are not looked at.
	Runs(ctx context.Context, filter api.RunFilter, below int64, limit int) ([]RunRow, error)
	// Blocks reads the key ranges of a run, ordered by Seq.
	Blocks(ctx context.Context, run int64) ([]Block, error)
	// Frames calls yield for each frame of a run with from <= ID < to, ordered by
	// ID, until yield fails, and returns yield's error as it is. Row and cell are
	// valid during the call only. Yield must not write to the store.
	Frames(ctx context.Context, run, from, to int64, yield func(*FrameRow) error) error
	// Tasks does the same for task run rows.
	Tasks(ctx context.Context, run, from, to int64, yield func(*TaskRow) error) error
	// Logs calls yield for the lines of a run, numbered from 1 without gaps in the
	// order they were committed, beginning with line number from.
	Logs(ctx context.Context, run, from int64, yield func(api.LogLine) error) error
	// Keyed reads the state kept under a task id, nil for none.
	Keyed(ctx context.Context, taskID string) ([]byte, error)
	// PutRecords keeps values under kinds and keys, durably, all or none. Records
	// belong to no run: limits are such. A Commit writes records too. Both look at
	// what is to be checked in the order of the writes.
	PutRecords(ctx context.Context, writes ...RecordWrite) error
	// Records calls yield for what is kept under a kind, ordered by key and
	// beginning with key from, until yield fails, and returns yield's error as it
	// is.
	Records(ctx context.Context, kind, from string, yield func(key string, value []byte) error) error
	// PutBlob stores what r gives, durably, as part of the run, and gives a
	// reference to it. It never holds all of it in memory. The run may come after
	// it, but a blob whose run does not exist goes when the store is opened again;
	// so does one of run 0 that is not a record's.
	PutBlob(ctx context.Context, run int64, r io.Reader) (Blob, error)
	// OpenBlob reads a blob, or fails with api.ErrNotFound.
	OpenBlob(ctx context.Context, b Blob) (io.ReadCloser, error)
	// Expire removes runs that are final and finished before a time, in
	// microseconds, with all that is found only through them: task runs, frames,
	// blocks, lines and blobs. What is kept under a task id stays, and so does
	// what LastRun says.
	//
	// Each call is a short transaction that removes about limit rows, fewer of
	// large ones, and looks at as many runs; calls go on from each other, and it
	// is for the caller to call again while there is more. A run that is removed
	// goes as a whole for whoever looks for a run or commits to it, though its
	// rows may take many calls; what was not removed yet after a crash is, by the
	// calls after it. Removed is how many runs went.
	//
	// Runs are looked at by number, and not beyond limit of them in a row that
	// were created at the time or later: those that follow are younger.
	Expire(ctx context.Context, before int64, limit int) (removed int, more bool, err error)
	// Remove removes one run that is final, whenever that was, as Expire does. It
	// fails with api.ErrConflict if the run is not final, and with api.ErrNotFound if
	// there is none. After one call the run is gone for whoever looks for it; while
	// there is more, calls about it, and those of Expire, remove the rest.
	Remove(ctx context.Context, run int64, limit int) (more bool, err error)
	// Location says where the data is, for people.
	Location() string
	// Close releases the store. The engine has stopped committing.
	Close() error
}

// Blob refers to a large value; the zero Blob is none.
type Blob struct{ ID, Size int64 }

// Payload is a value: JSON in place, or a blob. Both zero is no value, which is
// not the same as null.
type Payload struct {
	Data []byte
	Blob Blob
}

// None reports whether there is no value.
func (p Payload) None() bool { return p.Data == nil && p.Blob.ID == 0 }

// RunRow is a run as stored. Times are microseconds since 1970, 0 for none.
type RunRow struct {
	ID       int64
	UID      [16]byte // UUIDv7 with the run's number in it
	Name     string
	State    api.State
	Gen      int32 // generation, from 0
	Epoch    int32 // rises with each cancel and retry
	Base     int64 // first key of the outermost chain's block
	Created  int64
	Finished int64
	Plan     []byte // the pipeline's JSON, or an encoded blob reference (cell.go)
	Cell     []byte // outcome, final state, counters: see RunCell
	// Loose makes a new run nobody's, for whoever adopts it, if the store is shared.
	// It is not stored.
	Loose bool
	// Alone says, in what is read, that the run has no key ranges beside its first
	// one: Blocks would give none. Nor is it stored.
	Alone bool
}

// RunSet changes a run.
type RunSet struct {
	State    api.State
	Gen      int32
	Epoch    int32 // the new one
	Finished int64
	Cell     []byte
}

// TaskRow is a task run as stored.
type TaskRow struct {
	ID      int64
	Run     int64
	Frame   int64 // 0: the outermost chain
	Place   int32 // step of the chain, child of the group
	Task    string
	State   api.State
	Attempt int32
	Gen     int32
	Cell    []byte // see TaskCell
}

// TaskOp is what a TaskWrite does.
type TaskOp uint8

// The writes of a task row.
const (
	// InsertTask adds the row; a row of the run with that ID fences.
	InsertTask TaskOp = iota
	// UpdateTask changes state, attempt, generation and cell of a row that is
	// not final and whose attempt and generation are WasAttempt and WasGen.
	UpdateTask
	// ReopenTask does the same to a row that is final: a retry of the run.
	ReopenTask
)

// TaskWrite writes one task row. Run, Frame, Place and Task of an existing row
// do not change.
type TaskWrite struct {
	TaskRow
	Op                 TaskOp
	WasAttempt, WasGen int32
}

// FrameState is where a frame stands.
type FrameState uint8

// The states of a frame.
const (
	FrameOpen    FrameState = iota + 1
	FrameClosing            // all children ended; what follows is not yet committed
	FrameDone
	FrameVoid // superseded by a retry of the run
)

// FrameKind is what a frame executes.
type FrameKind uint8

// The kinds of a frame.
const (
	ChainFrame FrameKind = iota + 1
	GroupFrame
	// NoteFrame is no execution: something that a flow observed and that must be
	// the same when it runs again.
	NoteFrame
)

// FrameRow is a composite in execution.
type FrameRow struct {
	Run     int64
	ID      int64 // a key
	Parent  int64 // 0: the outermost chain
	Place   int32 // in the parent
	Kind    FrameKind
	State   FrameState
	Base    int64  // first key of its children or steps
	Source  int64  // groups: first key of the chain it stands in, which may have taken another's place
	Count   int64  // groups: children
	Pending int64  // groups: children that have not ended
	Failed  int64  // groups: children that failed
	Low     int64  // groups: all children below have ended
	Cell    []byte // see FrameCell
}

// FrameOp is what a FrameWrite does.
type FrameOp uint8

// The writes of a frame row.
const (
	// InsertFrame adds the row; a row with that run and ID fences.
	InsertFrame FrameOp = iota
	// UpdateFrame changes State and Cell of a row that is not FrameDone.
	UpdateFrame
	// ReopenFrame changes State, Pending, Failed, Low and Cell whatever they
	// are, or inserts the row: a retry of the run.
	ReopenFrame
)

// FrameWrite writes one frame row.
type FrameWrite struct {
	FrameRow
	Op FrameOp
}

// Join takes ended children off a group's frame, which must be FrameOpen with
// at least that many pending; it fences otherwise.
type Join struct {
	Frame  int64
	Ended  int64
	Failed int64
	Low    int64 // the new Low; ignored if lower than the stored one
}

// FrameRef names a frame.
type FrameRef struct{ Run, Frame int64 }

// Block is a range of keys that belongs to a run. Seq is that of its first key:
// a task run's public number is Seq + key - First.
type Block struct {
	Run, First, Count, Seq int64
	// Frame is the first key of the chain or group that it belongs to; for the
	// calls of a flow that task run's key, negated.
	Frame int64
}

// KeyedWrite keeps state under a task id; nil deletes it.
type KeyedWrite struct {
	TaskID string
	Value  []byte
}

// RecordWrite keeps a value under a kind and a key; nil deletes it.
type RecordWrite struct {
	Kind, Key string
	Value     []byte
	// Check has the write fence unless Was is what is kept before it; nil: nothing
	// is. So of several who change what they have read one does, whoever they are.
	Check bool
	Was   []byte
	// Blob, if not 0, is a blob of run 0 that belongs to the record from now on,
	// and goes when the record is replaced or deleted: at once for who looks for
	// it, its room with the calls of Expire.
	Blob int64
}

// FirstBlock is up to how many keys from its base on a run has without a block.
const FirstBlock = pipeline.BlockSize

// LogWrite is one line of a body. The store gives it its number.
type LogWrite struct{ api.LogLine }

// Transition is the unit of all or nothing: what one event changes. All of it
// is about one run.
type Transition struct {
	Run int64
	// Epoch must be the run's, or the batch is fenced. Not looked at with NewRun.
	Epoch  int32
	NewRun *RunRow
	SetRun *RunSet
	Tasks  []TaskWrite
	Joins  []Join
	Frames []FrameWrite
	Blocks []Block
	Keyed  []KeyedWrite
	Logs   []LogWrite
	// Records are of the engine; of several writes of one the last counts.
	Records []RecordWrite

	// Most transitions write one task and join one frame.
	oneTask [1]TaskWrite
	oneJoin [1]Join
}

// AddTask appends a task write and returns it to be filled in.
func (t *Transition) AddTask() *TaskWrite {
	if t.Tasks == nil {
		t.Tasks = t.oneTask[:0]
	}
	t.Tasks = append(t.Tasks, TaskWrite{})
	return &t.Tasks[len(t.Tasks)-1]
}

// AddJoin appends a join.
func (t *Transition) AddJoin(j Join) {
	if t.Joins == nil {
		t.Joins = t.oneJoin[:0]
	}
	t.Joins = append(t.Joins, j)
}
