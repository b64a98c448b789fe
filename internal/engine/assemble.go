package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// assembly writes the array of a group's results.
type assembly struct {
	settle bool
	out    *spill
	load   func(context.Context, store.Blob) (io.ReadCloser, error)
	n      int
	causes []*api.Failure
	// How many ended so; the others never began.
	completed, failed, cancelled int
}

func (a *assembly) begin() { a.out.write([]byte{'['}) }

func (a *assembly) add(ctx context.Context, end *childEnd) error {
	if a.n++; a.n > 1 {
		a.out.write([]byte{','})
	}
	switch {
	case end.failure != nil:
		a.failed++
	case end.cancelled:
		a.cancelled++
	case end.known:
		a.completed++
	}
	if end.failure != nil {
		if a.settle {
			a.out.write([]byte(`{"failure":`), end.failure, []byte{'}'})
			return a.out.err
		}
		if len(a.causes) < api.MaxCauses {
			f := new(api.Failure)
			if err := json.Unmarshal(end.failure, f); err != nil {
				return err
			}
			a.causes = append(a.causes, f)
		}
		return nil
	}
	if !a.settle {
		return a.value(ctx, end.value)
	}
	a.out.write([]byte(`{"value":`))
	err := a.value(ctx, end.value)
	a.out.write([]byte{'}'})
	return err
}

// counts is how the children ended.
func (a *assembly) counts() api.BatchCounts {
	return api.BatchCounts{
		Total: a.n, Ended: a.completed + a.failed + a.cancelled, Completed: a.completed, Failed: a.failed, Cancelled: a.cancelled,
	}
}

func (a *assembly) value(ctx context.Context, v store.Payload) error {
	switch {
	case v.None():
		a.out.write([]byte("null"))
	case v.Blob.ID == 0:
		a.out.write(v.Data)
	default:
		r, err := a.load(ctx, v.Blob)
		if err != nil {
			return err
		}
		_, err = io.Copy(a.out, r)
		return errors.Join(err, r.Close())
	}
	return a.out.err
}

func (a *assembly) finish() (pipeline.Value, error) {
	a.out.write([]byte{']'})
	return a.out.finish()
}

// spill takes bytes into memory until they are many, and from then on streams
// them into a blob.
type spill struct {
	buf  bytes.Buffer
	put  func(io.Reader) (store.Blob, error)
	pipe *io.PipeWriter
	done chan error // what put said
	blob store.Blob
	err  error
}

func (e *Engine) newSpill(ctx context.Context, run int64) *spill {
	return &spill{put: func(r io.Reader) (store.Blob, error) { return e.store.PutBlob(ctx, run, r) }}
}

// Write is write for io.Copy.
func (s *spill) Write(p []byte) (int, error) {
	s.write(p)
	return len(p), s.err
}

func (s *spill) write(parts ...[]byte) {
	for _, p := range parts {
		s.buf.Write(p)
	}
	if s.err == nil && s.buf.Len() > inlineSize {
		s.flush()
	}
}

// flush moves what is in memory into the blob.
func (s *spill) flush() {
	if s.pipe == nil {
		r, w := io.Pipe()
		s.pipe, s.done = w, make(chan error, 1)
		go func() {
			blob, err := s.put(r)
			s.blob = blob
			_ = r.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // never fails
			s.done <- err
		}()
	}
	_, s.err = s.pipe.Write(s.buf.Bytes())
	s.buf.Reset()
}

// finish gives what was written as a value.
func (s *spill) finish() (pipeline.Value, error) {
	if s.pipe == nil {
		return pipeline.Value{Data: s.buf.Bytes()}, s.err
	}
	if s.err == nil {
		s.flush()
	}
	pipe := s.pipe
	s.pipe = nil
	err := errors.Join(s.err, pipe.Close(), <-s.done)
	return pipeline.Value{Blob: s.blob.ID, Size: s.blob.Size}, err
}

// abort drops what was written, unless it was finished.
func (s *spill) abort() {
	if s.pipe != nil {
		_ = s.pipe.CloseWithError(io.ErrClosedPipe) // never fails
		<-s.done                                    //nolint:errcheck // the blob is not wanted any more
		s.pipe = nil
	}
}

// merger puts the states of a group's children together: maps key by key, the
// first child to have a key wins; of other states the first is kept.
type merger struct {
	start pipeline.State // what each child began with
	first pipeline.State // the first that is not a map
	keys  map[string]json.RawMessage
	added bool // start is among keys
	err   error
}

func (m *merger) add(end *childEnd) {
	s := end.state
	if !end.known || !s.Set || m.first.Set || m.err != nil {
		return
	}
	if !s.Merge {
		m.first = s
		return
	}
	same := bytes.Equal(s.Data, m.start.Data)
	if same && m.added {
		return
	}
	m.added = m.added || same
	var keys map[string]json.RawMessage
	if m.err = json.Unmarshal(s.Data, &keys); m.err != nil {
		return
	}
	if m.keys == nil {
		m.keys = keys
		return
	}
	for k, v := range keys {
		if _, ok := m.keys[k]; !ok {
			m.keys[k] = v
		}
	}
}

func (m *merger) result() (pipeline.State, error) {
	switch {
	case m.err != nil:
		return pipeline.State{}, api.Errorf(api.ErrEncoding, "", "merge states: %w", m.err)
	case m.first.Set:
		return m.first, nil
	case m.keys == nil:
		return m.start, nil
	}
	b := []byte{'{'}
	for i, k := range slices.Sorted(maps.Keys(m.keys)) {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(k)
		if err != nil {
			return pipeline.State{}, err
		}
		b = append(append(append(b, name...), ':'), m.keys[k]...)
	}
	return pipeline.State{Data: append(b, '}'), Merge: true, Set: true}, nil
}
