package sqlite

import "time"

// SetLag has the floor of live runs follow more closely.
func (s *Store) SetLag(runs int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.lag = runs
}

// SetBusyTimeout shortens the wait for another program's lock.
func (s *Store) SetBusyTimeout(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.conn.SetBusyTimeout(d)
}
