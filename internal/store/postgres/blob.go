package postgres

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// A blob is a row and its chunks, each of them a transaction of its own beside
// the writers', so that commits go on. The row says -1 for the size until all is
// there, and which session put it.
const (
	chunkSize  = 256 << 10
	unfinished = -1
	maxChunks  = 1 << 20 // of a blob
)

var chunks = sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}

// PutBlob stores what r gives.
func (s *Store) PutBlob(ctx context.Context, run int64, r io.Reader) (store.Blob, error) {
	if s.closed.Load() {
		return store.Blob{}, s.closedError()
	}
	buf := chunks.Get().(*[]byte) //nolint:forcetypeassert // see chunks
	defer chunks.Put(buf)
	id, err := s.blobs.take(ctx, 1)
	if err != nil {
		return store.Blob{}, err
	}
	b := store.Blob{ID: id}
	if err := s.putChunks(ctx, run, &b, r, *buf); err != nil {
		// What is left of it is of no use, and swept at the next Open if this fails.
		return store.Blob{}, errors.Join(err, s.removeBlob(s.ctx, b))
	}
	return b, nil
}

func (s *Store) putChunks(ctx context.Context, run int64, b *store.Blob, r io.Reader, buf []byte) error {
	for chunk := 0; ; chunk++ {
		if err := ctx.Err(); err != nil {
			return s.readError(ctx, err)
		}
		n, err := io.ReadFull(r, buf)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		switch {
		case err != nil && !last:
			return api.Errorf(api.ErrStore, s.location, "reading a large value: %w", err)
		case chunk == maxChunks:
			return api.Errorf(api.ErrInvalid, s.location, "a value of more than %d bytes", b.Size)
		}
		b.Size += int64(n)
		if err := s.putChunk(ctx, run, *b, chunk, buf[:n], last); err != nil || last {
			return err
		}
	}
}

func (s *Store) putChunk(ctx context.Context, run int64, b store.Blob, chunk int, data []byte, last bool) error {
	size := int64(unfinished)
	if last {
		size = b.Size
	}
	send := s.fenced
	if last {
		send = s.counted
	}
	return send(ctx, func(x *pgx.Batch) {
		switch {
		case chunk == 0:
			x.Queue(s.sql("INSERT INTO @.blob (id, run, size, owner) VALUES ($1, $2, $3, $4)"), b.ID, run, size, s.Session())
		case last:
			x.Queue(s.sql("UPDATE @.blob SET size = $2 WHERE id = $1"), b.ID, size)
		}
		if len(data) > 0 {
			x.Queue(s.sql("INSERT INTO @.blob_chunk (blob, number, data) VALUES ($1, $2, $3)"), b.ID, chunk, data)
		}
	})
}

// removeBlob removes what there is of a blob, a few chunks at a time.
func (s *Store) removeBlob(ctx context.Context, b store.Blob) error {
	const step = 16
	for at := int64(0); at <= b.Size/chunkSize; at += step {
		err := s.fenced(ctx, func(x *pgx.Batch) {
			x.Queue(s.sql("DELETE FROM @.blob_chunk WHERE blob = $1 AND number >= $2 AND number < $3"), b.ID, at, at+step)
		})
		if err != nil {
			return err
		}
	}
	return s.fenced(ctx, func(x *pgx.Batch) { x.Queue(s.sql("DELETE FROM @.blob WHERE id = $1"), b.ID) })
}

// sweepBlobs removes the blobs of sessions that have ended: those that were left
// unfinished, those of runs that were removed before the blob came or that never
// came to be, and those of no run that no record has.
func (s *Store) sweepBlobs(ctx context.Context) error {
	const left = `SELECT id, coalesce((SELECT max(c.number) FROM @.blob_chunk c WHERE c.blob = b.id), 0)
		FROM @.blob b WHERE (size < 0 OR run NOT IN (-1, -2)
			AND NOT EXISTS (SELECT 1 FROM @.run r WHERE r.id = b.run) AND NOT EXISTS (SELECT 1 FROM @.gone_run g WHERE g.id = b.run))
			AND NOT EXISTS (SELECT 1 FROM @.process p WHERE p.id = b.owner)`
	// It reads all there are, so it may take its time.
	list, err := collectOnce(ctx, s, left, func(row pgx.CollectableRow) (b store.Blob, err error) {
		err = row.Scan(&b.ID, &b.Size)
		b.Size *= chunkSize
		return b, err
	})
	for _, b := range list {
		if err == nil {
			err = s.removeBlob(ctx, b)
		}
	}
	return err
}

// OpenBlob reads a blob, chunk by chunk and with no connection in between.
func (s *Store) OpenBlob(ctx context.Context, b store.Blob) (io.ReadCloser, error) {
	size, found, err := one[int64](ctx, s, "SELECT size FROM @.blob WHERE id = $1 AND run <> -1", b.ID)
	if err != nil {
		return nil, err
	}
	if !found || size == unfinished {
		return nil, api.Errorf(api.ErrNotFound, s.location, "no large value with number %d", b.ID)
	}
	return &blobReader{ctx: ctx, s: s, id: b.ID, left: size}, nil
}

// blobReader is the reader of a blob. It keeps the context, since Read has none.
type blobReader struct {
	ctx  context.Context //nolint:containedctx // see above
	s    *Store
	id   int64
	next int    // number of the next chunk
	left int64  // bytes of the chunks not yet loaded
	data []byte // what is left of the chunk
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

func (r *blobReader) load() (err error) {
	r.data, _, err = one[[]byte](r.ctx, r.s, "SELECT data FROM @.blob_chunk WHERE blob = $1 AND number = $2", r.id, r.next)
	switch {
	case err != nil:
		return err
	case len(r.data) == 0:
		return api.Errorf(api.ErrStore, r.s.location, "a part of large value %d is missing", r.id)
	}
	r.next++
	r.left -= int64(len(r.data))
	return nil
}

func (r *blobReader) Close() error {
	r.data, r.left = nil, 0
	return nil
}
