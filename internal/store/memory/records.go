package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/runnel-dev/runnel/internal/store"
)

// recordList is the records of a kind: values by key, and the keys in order.
type recordList struct {
	values map[string]recordValue
	keys   []string
}

type recordValue struct {
	data []byte // nil: there is none
	blob int64
}

func kept(w *store.RecordWrite) recordValue { return recordValue{bytes.Clone(w.Value), w.Blob} }

// PutRecords keeps values under kinds and keys.
func (s *Store) PutRecords(_ context.Context, writes ...store.RecordWrite) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range writes {
		if err := s.writeRecord(&writes[i]); err != nil {
			s.rollback()
			return err
		}
	}
	s.settle()
	return nil
}

// dropBlob removes what was a record's.
func (s *Store) dropBlob(id int64) {
	if id == 0 {
		return
	}
	delete(s.blobs, id)
	s.blobsOf[0] = slices.DeleteFunc(s.blobsOf[0], func(b int64) bool { return b == id })
}

func (s *Store) record(kind, key string) recordValue {
	if l := s.records[kind]; l != nil {
		return l.values[key]
	}
	return recordValue{}
}

func (s *Store) setRecord(kind, key string, value recordValue) {
	l := s.records[kind]
	if l == nil {
		l = &recordList{values: map[string]recordValue{}}
		s.records[kind] = l
	}
	i, had := slices.BinarySearch(l.keys, key)
	switch {
	case value.data != nil && !had:
		l.keys = slices.Insert(l.keys, i, key)
	case value.data == nil && had:
		l.keys = slices.Delete(l.keys, i, i+1)
	}
	if value.data == nil {
		delete(l.values, key)
		return
	}
	l.values[key] = value
}

// writeRecord is setRecord as part of a batch.
func (s *Store) writeRecord(w *store.RecordWrite) error {
	was := s.record(w.Kind, w.Key)
	if w.Check && ((was.data == nil) != (w.Was == nil) || !bytes.Equal(was.data, w.Was)) {
		return fmt.Errorf("record %s %q is not as expected: %w", w.Kind, w.Key, store.ErrFenced)
	}
	if was.blob != 0 {
		s.undo.dropped = append(s.undo.dropped, was.blob)
	}
	s.undo.add(func() { s.setRecord(w.Kind, w.Key, was) })
	s.setRecord(w.Kind, w.Key, kept(w))
	return nil
}

// Records calls yield for what is kept under a kind. It does not hold the lock
// meanwhile, so yield may read and write; values are never changed in place.
func (s *Store) Records(_ context.Context, kind, from string, yield func(key string, value []byte) error) error {
	for {
		key, value, found := s.recordFrom(kind, from)
		if !found {
			return nil
		}
		if err := yield(key, bytes.Clone(value)); err != nil {
			return err
		}
		from = key + "\x00" // what follows it at once
	}
}

func (s *Store) recordFrom(kind, from string) (key string, value []byte, found bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	l := s.records[kind]
	if l == nil {
		return "", nil, false
	}
	i, _ := slices.BinarySearch(l.keys, from)
	if i == len(l.keys) {
		return "", nil, false
	}
	return l.keys[i], l.values[l.keys[i]].data, true
}
