package memory_test

import (
	"sync"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/store/storetest"
)

func TestPromises(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memory.Open() })
}

func TestReopen(t *testing.T) {
	storetest.RunReopen(t, func(*testing.T) (store.Store, func() store.Store) {
		s := memory.Open()
		return s, func() store.Store { return s }
	})
}

// The generator is held to the model itself: it must not depend on anything
// but what a store promises.
func TestRandom(t *testing.T) {
	open := func(*testing.T) store.Store { return memory.Open() }
	storetest.RunRandom(t, open, open)
}

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(*testing.T) storetest.Sharing {
		s, lease := memory.Open(), time.Minute
		var mu sync.Mutex
		late := make(map[string]time.Duration)
		clock := func(name string) func() time.Time {
			return func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				return time.Now().Add(-late[name])
			}
		}
		names := make(map[store.Shared]string)
		return storetest.Sharing{
			Join: func(_ *testing.T, name string) store.Shared {
				p := s.Join(name, lease, clock(name))
				names[p] = name
				return p
			},
			Age: func(t *testing.T, p store.Shared) {
				t.Helper()
				setLate := func(d time.Duration) {
					mu.Lock()
					late[names[p]] = d
					mu.Unlock()
				}
				setLate(2 * lease) // its last beat is long ago
				if _, _, err := p.Beat(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				setLate(0)
			},
		}
	})
}
