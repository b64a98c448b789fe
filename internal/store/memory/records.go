package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
)

// PutRecord keeps a value under a kind and a key.
func (s *Store) PutRecord(_ context.Context, kind, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.records[kind], key)
		return nil
	}
	if s.records[kind] == nil {
		s.records[kind] = map[string][]byte{}
	}
	s.records[kind][key] = bytes.Clone(value)
	return nil
}

// Records calls yield for what is kept under a kind. It does not hold the lock
// meanwhile, so yield may read and write; values are never changed in place.
func (s *Store) Records(_ context.Context, kind string, yield func(key string, value []byte) error) error {
	s.mu.RLock()
	kept := maps.Clone(s.records[kind])
	s.mu.RUnlock()
	for _, key := range slices.Sorted(maps.Keys(kept)) {
		if err := yield(key, bytes.Clone(kept[key])); err != nil {
			return err
		}
	}
	return nil
}
