package memory

import (
	"context"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// expiry is how far Expire has come.
type expiry struct {
	lastRun int64 // highest number of a run that was removed
	cursor  int64 // the run that was looked at last
	young   int   // how many in a row were created too late
	left    []grave
}

// grave is a run that is gone, whose task rows are not, all of them.
type grave struct {
	run    int64
	blocks []store.Block
}

// Expire removes runs that finished before a time.
func (s *Store) Expire(_ context.Context, before int64, limit int) (removed int, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := &s.expiry
	budget := limit
	if !s.clear(&budget) {
		return 0, true, nil
	}
	i, found := slices.BinarySearch(s.order, x.cursor)
	if found {
		i++
	}
	for looked := 0; i < len(s.order) && x.young < limit; looked++ {
		if looked == limit || budget <= 0 {
			return removed, true, nil
		}
		r := s.runs[s.order[i]]
		x.cursor = r.row.ID
		if r.row.Created >= before {
			x.young++
			i++
			continue
		}
		x.young = 0
		if !r.row.State.Final() || r.row.Finished >= before {
			i++
			continue
		}
		removed++
		budget--
		s.bury(r)
		if !s.clear(&budget) {
			return removed, true, nil
		}
	}
	x.cursor, x.young = 0, 0
	return removed, false, nil
}

// Remove removes one run that is final.
func (s *Store) Remove(_ context.Context, id int64, limit int) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[id]
	switch buried := slices.ContainsFunc(s.expiry.left, func(g grave) bool { return g.run == id }); {
	case r == nil && !buried:
		return false, api.Errorf(api.ErrNotFound, "memory", "no run with number %d", id)
	case r == nil:
	case !r.row.State.Final():
		return false, api.Errorf(api.ErrConflict, "memory", "run number %d is %s", id, r.row.State)
	default:
		s.bury(r)
		limit--
	}
	return !s.clear(&limit), nil
}

// bury removes a run but for its task rows.
func (s *Store) bury(r *run) {
	id := r.row.ID
	s.removeRun(id)
	for _, b := range s.blobsOf[id] {
		delete(s.blobs, b)
	}
	delete(s.blobsOf, id)
	r.blocks = append(r.blocks, store.Block{First: r.row.Base, Count: store.FirstBlock})
	s.expiry.lastRun = max(s.expiry.lastRun, id)
	s.expiry.left = append(s.expiry.left, grave{id, r.blocks})
}

// clear removes task rows of runs that are gone, and reports whether none are
// left.
func (s *Store) clear(budget *int) bool {
	if *budget <= 0 {
		return len(s.expiry.left) == 0
	}
	for x := &s.expiry; len(x.left) > 0; x.left = x.left[1:] {
		g := &x.left[0]
		for ; len(g.blocks) > 0; g.blocks = g.blocks[1:] {
			b := g.blocks[0]
			if !s.tasks.clear(g.run, b.First, b.First+b.Count, budget) {
				return false
			}
		}
	}
	return true
}

// clear removes rows of a run with from <= ID < to, a chunk at a time, and
// reports whether none are left.
func (t *table) clear(run, from, to int64, budget *int) bool {
	for i := t.search(from); i < len(t.order) && t.order[i].first < to; {
		c := t.order[i]
		before := len(c.rows)
		c.rows = slices.DeleteFunc(c.rows, func(row store.TaskRow) bool {
			gone := row.Run == run && row.ID >= from && row.ID < to
			if gone {
				c.used &^= 1 << uint64(row.ID-c.first)
			}
			return gone
		})
		if *budget -= before - len(c.rows); c.used == 0 {
			t.order = slices.Delete(t.order, i, i+1)
			delete(t.chunks, c.first>>chunkBits)
			t.last = nil
		} else {
			i++
		}
		if *budget <= 0 {
			return false
		}
	}
	return true
}
