package httpapi

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/runnel-dev/runnel/api"
)

// Notes is what the handler keeps beside the runs: the audit, operations and saved filters.
type Notes interface {
	// Notes calls yield for what is kept under a kind, ordered by key and beginning
	// with key from, until yield fails, and returns yield's error as it is.
	Notes(ctx context.Context, kind, from string, yield func(key string, value []byte) error) error
	// PutNotes keeps notes durably, all or none. It fails with api.ErrConflict if one of
	// those that are to be checked is not as it was.
	PutNotes(ctx context.Context, notes ...Note) error
}

// Note is what is kept under a kind and a key; no value: nothing any more.
type Note struct {
	Kind, Key string
	Value     []byte
	// Check refuses the note unless Was is what is kept before it; nil: nothing is.
	Check bool
	Was   []byte
}

// memory keeps notes for as long as it is there: of a handler whose service keeps none.
type memory struct {
	mu   sync.Mutex
	kept map[string]map[string][]byte // by kind and key
}

func (m *memory) Notes(_ context.Context, kind, from string, yield func(key string, value []byte) error) error {
	m.mu.Lock()
	all := maps.Clone(m.kept[kind])
	m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if key < from {
			continue
		}
		if err := yield(key, all[key]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) PutNotes(_ context.Context, notes ...Note) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range notes {
		if was, there := m.kept[n.Kind][n.Key]; n.Check && (there != (n.Was != nil) || !bytes.Equal(was, n.Was)) {
			return api.Errorf(api.ErrConflict, "", "somebody else has changed it meanwhile")
		}
	}
	for _, n := range notes {
		if n.Value == nil {
			delete(m.kept[n.Kind], n.Key)
			continue
		}
		if m.kept == nil {
			m.kept = make(map[string]map[string][]byte)
		}
		if m.kept[n.Kind] == nil {
			m.kept[n.Kind] = make(map[string][]byte)
		}
		m.kept[n.Kind][n.Key] = n.Value
	}
	return nil
}
