package memory_test

import (
	"testing"

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
