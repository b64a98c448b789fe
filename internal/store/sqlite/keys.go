package sqlite

import (
	"context"

	"github.com/runnel-dev/runnel/api"
)

// keys gives out ranges of keys. The file says up to where, well ahead, so that
// few calls need a commit; what was ahead at a crash is lost, and is only
// numbers. Used under Store.mu.
type keys struct {
	next    int64 // the first that was not given out
	ceiling int64 // the first that the file does not know as reserved
}

const keysAhead = 1 << 16

// ReserveKeys gives out keys.
func (s *Store) ReserveKeys(_ context.Context, n int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, s.closedError()
	}
	k := &s.keys
	if n < 1 || n > 1<<62-k.next {
		return 0, api.Errorf(api.ErrInvalid, s.path, "can't reserve %d keys", n)
	}
	if k.next+n > k.ceiling {
		ceiling := k.next + n + keysAhead
		err := s.w.transaction(func() error {
			s.w.setKeys.BindInt64(1, ceiling)
			return exec(s.w.setKeys)
		})
		if err != nil {
			return 0, writeError(s.path, err)
		}
		k.ceiling = ceiling
	}
	first := k.next
	k.next += n
	return first, nil
}
