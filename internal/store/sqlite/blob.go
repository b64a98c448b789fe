package sqlite

import (
	"context"
	"errors"
	"io"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// A blob is a row and its chunks, each of them a short transaction, so that
// commits go on in between. The row says -1 for the size until all is there.
const (
	chunkSize  = 256 << 10
	chunkShift = 20 // chunks of a blob: their key is the blob's number, shifted, and theirs
	unfinished = -1
)

var chunks = sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}

// PutBlob stores what r gives.
func (s *Store) PutBlob(ctx context.Context, run int64, r io.Reader) (store.Blob, error) {
	buf := chunks.Get().(*[]byte) //nolint:forcetypeassert // see chunks
	defer chunks.Put(buf)
	b := store.Blob{ID: s.blobs.Add(1)}
	err := s.putChunks(ctx, run, &b, r, *buf)
	if err != nil {
		// What is left of it is of no use, and swept at the next Open if this fails.
		return store.Blob{}, errors.Join(err, s.removeBlob(b))
	}
	return b, nil
}

func (s *Store) putChunks(ctx context.Context, run int64, b *store.Blob, r io.Reader, buf []byte) error {
	for chunk := int64(0); ; chunk++ {
		if err := ctx.Err(); err != nil {
			return readError(ctx, s.path, err)
		}
		n, err := io.ReadFull(r, buf)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		switch {
		case err != nil && !last:
			return api.Errorf(api.ErrStore, s.path, "reading a large value: %w", err)
		case chunk == 1<<chunkShift:
			return api.Errorf(api.ErrInvalid, s.path, "a value of more than %d bytes", b.Size)
		}
		b.Size += int64(n)
		err = s.write(int64(n), func() error { return s.w.putChunk(run, *b, chunk, buf[:n], last) })
		if err != nil {
			return writeError(s.path, err)
		}
		if last {
			return nil
		}
	}
}

func (w *writer) putChunk(run int64, b store.Blob, chunk int64, data []byte, last bool) error {
	size := int64(unfinished)
	if last {
		size = b.Size
	}
	if chunk == 0 {
		w.insertBlob.BindInt64(1, b.ID)
		w.insertBlob.BindInt64(2, run)
		w.insertBlob.BindInt64(3, size)
		if err := exec(w.insertBlob); err != nil {
			return err
		}
	} else if last {
		w.setBlob.BindInt64(1, b.ID)
		w.setBlob.BindInt64(2, size)
		if err := exec(w.setBlob); err != nil {
			return err
		}
	}
	if len(data) == 0 {
		return nil
	}
	w.insertChunk.BindInt64(1, b.ID<<chunkShift+chunk)
	w.insertChunk.BindBytes(2, data)
	err := exec(w.insertChunk)
	return errors.Join(err, w.insertChunk.ClearBindings()) // it would keep the copy
}

// removeBlob removes what there is of a blob, a few chunks at a time.
func (s *Store) removeBlob(b store.Blob) error {
	const step = 16
	first := b.ID << chunkShift
	for at := first; at <= first+b.Size/chunkSize; at += step {
		err := s.write(step*chunkSize, func() error {
			s.w.deleteChunks.BindInt64(1, at)
			s.w.deleteChunks.BindInt64(2, at+step)
			return exec(s.w.deleteChunks)
		})
		if err != nil {
			return writeError(s.path, err)
		}
	}
	err := s.write(0, func() error {
		s.w.deleteBlob.BindInt64(1, b.ID)
		return exec(s.w.deleteBlob)
	})
	if err != nil {
		return writeError(s.path, err)
	}
	return nil
}

// sweepBlobs removes the blobs that a crash left unfinished, those of runs that
// were removed before the blob came or that never came to be, and those of no run
// that no record has. Nobody puts a blob yet.
func (s *Store) sweepBlobs() error {
	var left []store.Blob
	err := sqlitex.Execute(s.w.conn,
		`SELECT id, coalesce((SELECT max(c.id) FROM blob_chunk c WHERE c.id >= b.id << ?1 AND c.id < (b.id + 1) << ?1), 0) & ((1 << ?1) - 1)
			FROM blob b WHERE size < 0
				OR run <> -2 AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = b.run) AND NOT EXISTS (SELECT 1 FROM gone_run g WHERE g.id = b.run)`,
		&sqlitex.ExecOptions{Args: []any{chunkShift}, ResultFunc: func(st *sqlite.Stmt) error {
			left = append(left, store.Blob{ID: st.ColumnInt64(0), Size: st.ColumnInt64(1) * chunkSize})
			return nil
		}})
	for _, b := range left {
		if err == nil {
			err = s.removeBlob(b)
		}
	}
	return err
}

// OpenBlob reads a blob, chunk by chunk and with no connection in between.
func (s *Store) OpenBlob(ctx context.Context, b store.Blob) (io.ReadCloser, error) {
	size := int64(unfinished)
	err := s.query(ctx, "SELECT size FROM blob WHERE id = ?",
		func(st *sqlite.Stmt) { st.BindInt64(1, b.ID) },
		func(st *sqlite.Stmt) bool {
			size = st.ColumnInt64(0)
			return false
		})
	if err != nil {
		return nil, err
	}
	if size == unfinished {
		return nil, api.Errorf(api.ErrNotFound, s.path, "no large value with number %d", b.ID)
	}
	return &blobReader{ctx: ctx, s: s, next: b.ID << chunkShift, left: size}, nil
}

// blobReader is the reader of a blob. It keeps the context, since Read has none.
type blobReader struct {
	ctx  context.Context //nolint:containedctx // see above
	s    *Store
	next int64   // key of the next chunk
	left int64   // bytes of the chunks not yet loaded
	buf  *[]byte // from chunks, nil before the first
	data []byte  // what is left of the chunk
}

func (r *blobReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		if err := r.load(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func (r *blobReader) load() error {
	if r.buf == nil {
		r.buf = chunks.Get().(*[]byte) //nolint:forcetypeassert // see chunks
	}
	err := r.s.query(r.ctx, "SELECT data FROM blob_chunk WHERE id = ?",
		func(st *sqlite.Stmt) { st.BindInt64(1, r.next) },
		func(st *sqlite.Stmt) bool {
			r.data = (*r.buf)[:st.ColumnBytes(0, *r.buf)]
			return false
		})
	if err != nil {
		return err
	}
	if len(r.data) == 0 {
		return api.Errorf(api.ErrStore, r.s.path, "a part of large value %d is missing", r.next>>chunkShift)
	}
	r.next++
	r.left -= int64(len(r.data))
	return nil
}

func (r *blobReader) Close() error {
	if r.buf != nil {
		chunks.Put(r.buf)
	}
	r.buf, r.data, r.left = nil, nil, 0
	return nil
}
