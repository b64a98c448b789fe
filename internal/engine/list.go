package engine

import (
	"bytes"
	"context"
	"encoding/json/jsontext"
	"errors"
	"io"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// elements cuts a JSON array into its elements, one after the other, without
// holding the array if that is in a blob.
type elements struct {
	dec    *jsontext.Decoder
	close  func() error
	next   int
	inside bool
}

// openList begins at the first element of list.
func (e *Engine) openList(ctx context.Context, list pipeline.Value) (*elements, error) {
	if list.Data != nil {
		return &elements{dec: jsontext.NewDecoder(bytes.NewReader(list.Data), lax)}, nil
	}
	r, err := e.store.OpenBlob(ctx, store.Blob{ID: list.Blob, Size: list.Size})
	if err != nil {
		return nil, err
	}
	return &elements{dec: jsontext.NewDecoder(r, lax), close: r.Close}, nil
}

// lax skips checks that only cost time: the text was checked when it came in.
var lax = jsontext.AllowDuplicateNames(true)

// advance moves to the next element and reports whether there is one.
func (l *elements) advance() (bool, error) {
	if !l.inside {
		tok, err := l.dec.ReadToken()
		if err != nil {
			return false, err
		}
		switch tok.Kind() {
		case '[':
		case 'n': // a nil slice: no elements
			return false, l.done()
		default:
			return false, api.Errorf(api.ErrEncoding, "", "each wants an array, got %s", tok.Kind())
		}
		l.inside = true
	}
	if l.dec.PeekKind() == ']' {
		_, err := l.dec.ReadToken()
		return false, errors.Join(err, l.done())
	}
	return true, nil
}

// at gives element i; i must not fall.
func (l *elements) at(i int) ([]byte, error) {
	for {
		more, err := l.advance()
		if err != nil {
			return nil, err
		}
		if !more {
			return nil, api.Errorf(api.ErrStore, "", "list ends before element %d", i)
		}
		if l.next == i {
			l.next++
			v, err := l.dec.ReadValue()
			return bytes.Clone(v), err
		}
		if err := l.dec.SkipValue(); err != nil {
			return nil, err
		}
		l.next++
	}
}

func (l *elements) done() error {
	if l == nil || l.close == nil {
		return nil
	}
	err := l.close()
	l.close = nil
	return err
}

// count counts the elements of a list.
func (e *Engine) count(ctx context.Context, list pipeline.Value) (n int, err error) {
	l, err := e.openList(ctx, list)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.done()) }()
	for {
		more, err := l.advance()
		if err != nil || !more {
			return n, err
		}
		if err := l.dec.SkipValue(); err != nil {
			return n, err
		}
		n++
	}
}

// inlineSize is up to which size a value stands in its row. 64 KiB.
const inlineSize = 64 << 10

// keep puts a large value where it does not burden the rows.
func (e *Engine) keep(ctx context.Context, run int64, data []byte) (pipeline.Value, error) {
	if len(data) <= inlineSize {
		return pipeline.Value{Data: data}, nil
	}
	b, err := e.store.PutBlob(ctx, run, bytes.NewReader(data))
	if err != nil {
		return pipeline.Value{}, err
	}
	return pipeline.Value{Data: data, Blob: b.ID, Size: b.Size}, nil
}

// keep is keep for a run that exists: it waits while the store has no room.
func (r *run) keep(data []byte) (v pipeline.Value, err error) {
	err = r.e.patiently(func() error {
		v, err = r.e.keep(context.Background(), r.id, data) //nolint:forbidigo // an answer outlives its worker
		return err
	})
	return v, err
}

// load reads a value whole.
func (e *Engine) load(ctx context.Context, p store.Payload) ([]byte, error) {
	if p.Blob.ID == 0 {
		return p.Data, nil
	}
	r, err := e.store.OpenBlob(ctx, p.Blob)
	if err != nil {
		return nil, err
	}
	data := bytes.NewBuffer(make([]byte, 0, p.Blob.Size))
	_, err = io.Copy(data, r)
	return data.Bytes(), errors.Join(err, r.Close())
}
