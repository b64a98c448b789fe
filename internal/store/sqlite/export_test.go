package sqlite

import "time"

// SetBusyTimeout shortens the wait for another program's lock.
func (s *Store) SetBusyTimeout(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.conn.SetBusyTimeout(d)
}
