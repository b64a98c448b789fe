package flow

import (
	"strconv"
	"sync"
)

// Scope gives keys to what a body does: name-0, name-1, … for each name. What
// runs on another goroutine has a scope of its own, since its turn is not known.
type Scope struct {
	prefix string

	mu    sync.Mutex
	count map[string]int
}

// NewScope makes a scope whose keys begin with prefix.
func NewScope(prefix string) *Scope { return &Scope{prefix: prefix, count: map[string]int{}} }

// Key gives the next key for a name.
func (s *Scope) Key(name string) string {
	s.mu.Lock()
	n := s.count[name]
	s.count[name]++
	s.mu.Unlock()
	return s.prefix + name + "-" + strconv.Itoa(n)
}

// Within gives the scope of a branch, once for each name.
func (s *Scope) Within(name string) (below *Scope, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := name + "/"
	s.count[key]++
	return NewScope(s.prefix + key), s.count[key] == 1
}
