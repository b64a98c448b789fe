// Package memory keeps a store as maps and slices: the model that the other
// stores are compared with, and the store of the simulation.
//
// It must not know the engine, SQL, files or time. What it holds outlives the
// engine that wrote it: after Close, the same value given to a new engine is
// the database as a crash would have left it, since a commit is in it entirely
// or not at all.
package memory

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Store is a store.Store in memory.
type Store struct {
	mu       sync.RWMutex
	runs     map[int64]*run
	order    []int64 // run numbers, ascending
	tasks    table
	keyed    map[string][]byte
	records  map[string]*recordList // by kind
	blobs    map[int64][]byte
	lastKey  int64
	lastBlob int64
	blobsOf  map[int64][]int64 // by run
	expiry   expiry
	shared   shared

	// Of the commit in progress:
	undo    undo
	session int64
}

var _ store.Store = (*Store)(nil)

// run is a run and all that is found only through it.
type run struct {
	row      store.RunRow
	frames   map[int64]*store.FrameRow
	frameIDs []int64       // the keys of frames, ascending
	blocks   []store.Block // by First
	logs     []api.LogLine
	owner    int64 // session
}

// Open makes an empty store.
func Open() *Store {
	return &Store{
		runs:    map[int64]*run{},
		tasks:   table{chunks: map[int64]*chunk{}},
		keyed:   map[string][]byte{},
		records: map[string]*recordList{},
		blobs:   map[int64][]byte{},
		blobsOf: map[int64][]int64{},
	}
}

// ReserveKeys gives out keys.
func (s *Store) ReserveKeys(_ context.Context, n int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 1 || n > 1<<62-s.lastKey {
		return 0, api.Errorf(api.ErrInvalid, "memory", "can't reserve %d keys", n)
	}
	first := s.lastKey + 1
	s.lastKey += n
	return first, nil
}

// LastRun gives the highest run number.
func (s *Store) LastRun(context.Context) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	last := s.expiry.lastRun
	if n := len(s.order); n > 0 {
		last = max(last, s.order[n-1])
	}
	return last, nil
}

// Run reads one run.
func (s *Store) Run(_ context.Context, id int64) (store.RunRow, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.runs[id]
	if r == nil {
		return store.RunRow{}, api.Errorf(api.ErrNotFound, "memory", "no run with number %d", id)
	}
	return r.copy(), nil
}

// LiveRuns reads runs that are not final.
func (s *Store) LiveRuns(_ context.Context, after int64, limit int) ([]store.RunRow, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, found := slices.BinarySearch(s.order, after)
	if found {
		i++
	}
	var rows []store.RunRow
	for ; i < len(s.order) && len(rows) < limit; i++ {
		if r := s.runs[s.order[i]]; !r.row.State.Final() {
			rows = append(rows, r.copy())
		}
	}
	return rows, nil
}

// Runs reads runs, newest first.
func (s *Store) Runs(_ context.Context, filter api.RunFilter, below int64, limit int) ([]store.RunRow, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := len(s.order)
	if below != 0 {
		i, _ = slices.BinarySearch(s.order, below)
	}
	var rows []store.RunRow
	for i--; i >= 0 && len(rows) < limit; i-- {
		if r := s.runs[s.order[i]]; chosen(&r.row, &filter) {
			rows = append(rows, r.copy())
		}
	}
	return rows, nil
}

func chosen(r *store.RunRow, f *api.RunFilter) bool {
	switch {
	case len(f.States) > 0 && !slices.Contains(f.States, r.State),
		f.Name != "" && f.Name != r.Name,
		!f.Since.IsZero() && r.Created < f.Since.UnixMicro(),
		!f.Until.IsZero() && r.Created >= f.Until.UnixMicro():
		return false
	}
	return true
}

// Blocks reads the key ranges of a run.
func (s *Store) Blocks(_ context.Context, id int64) ([]store.Block, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.runs[id]
	if r == nil {
		return nil, nil
	}
	blocks := slices.Clone(r.blocks)
	slices.SortFunc(blocks, func(a, b store.Block) int { return compare(a.Seq, b.Seq, a.First, b.First) })
	return blocks, nil
}

// Frames calls yield for the frames of a run in a range of ids. It does not hold
// the lock meanwhile, so yield may read.
func (s *Store) Frames(_ context.Context, id, from, to int64, yield func(*store.FrameRow) error) error {
	for _, row := range s.framesBetween(id, from, to) {
		if err := yield(&row); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) framesBetween(id, from, to int64) []store.FrameRow {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.runs[id]
	if r == nil {
		return nil
	}
	first, _ := slices.BinarySearch(r.frameIDs, from)
	end, _ := slices.BinarySearch(r.frameIDs, to)
	rows := make([]store.FrameRow, 0, max(end-first, 0))
	for _, id := range r.frameIDs[first:max(end, first)] {
		row := *r.frames[id]
		row.Cell = bytes.Clone(row.Cell)
		rows = append(rows, row)
	}
	return rows
}

// Tasks calls yield for the task rows of a range of keys. It does not hold the
// lock meanwhile, so yield may read; cells are never changed in place.
func (s *Store) Tasks(ctx context.Context, run, from, to int64, yield func(*store.TaskRow) error) error {
	var buf []store.TaskRow
	for size := 16; ; size = min(4*size, 1024) {
		if err := ctx.Err(); err != nil {
			return api.Errorf(api.ErrCancelled, "memory", "%w", err)
		}
		if cap(buf) < size {
			buf = make([]store.TaskRow, 0, size)
		}
		s.mu.RLock()
		buf = s.tasks.scan(buf[:0], run, from, to)
		s.mu.RUnlock()
		for i := range buf {
			if err := yield(&buf[i]); err != nil {
				return err
			}
		}
		if len(buf) < cap(buf) {
			return nil
		}
		from = buf[len(buf)-1].ID + 1
	}
}

// Logs calls yield for the lines of a run from one of them on.
func (s *Store) Logs(_ context.Context, id, from int64, yield func(api.LogLine) error) error {
	s.mu.RLock()
	var logs []api.LogLine
	if r := s.runs[id]; r != nil {
		logs = slices.Clone(r.logs[min(max(from-1, 0), int64(len(r.logs))):])
	}
	s.mu.RUnlock()
	for _, line := range logs {
		if err := yield(line); err != nil {
			return err
		}
	}
	return nil
}

// Keyed reads the state kept under a task id.
func (s *Store) Keyed(_ context.Context, taskID string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return bytes.Clone(s.keyed[taskID]), nil
}

// PutBlob stores what r gives.
func (s *Store) PutBlob(_ context.Context, run int64, r io.Reader) (store.Blob, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return store.Blob{}, api.Errorf(api.ErrStore, "memory", "reading a large value: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastBlob++
	s.blobs[s.lastBlob] = data
	s.blobsOf[run] = append(s.blobsOf[run], s.lastBlob)
	return store.Blob{ID: s.lastBlob, Size: int64(len(data))}, nil
}

// OpenBlob reads a blob.
func (s *Store) OpenBlob(_ context.Context, b store.Blob) (io.ReadCloser, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	data, ok := s.blobs[b.ID]
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "memory", "no large value with number %d", b.ID)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// Location says that it is memory.
func (s *Store) Location() string { return "memory" }

// Close does nothing: the store can be used on, as after a restart.
func (s *Store) Close() error { return nil }

// copy gives the row as it is read.
func (r *run) copy() store.RunRow {
	row := r.row
	row.Plan, row.Cell, row.Alone = bytes.Clone(row.Plan), bytes.Clone(row.Cell), len(r.blocks) == 0
	return row
}

// compare orders the pair (a1, a2) against (b1, b2).
func compare(a1, b1, a2, b2 int64) int {
	switch {
	case a1 < b1 || a1 == b1 && a2 < b2:
		return -1
	case a1 == b1 && a2 == b2:
		return 0
	}
	return 1
}
