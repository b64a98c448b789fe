package storetest

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing/iotest"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var blobChecks = []check{
	{"blobs of all sizes", blobSizes},
	{"blob that is not there", blobMissing},
	{"blob from a reader that fails", blobReadError},
	{"blob before its run", blobBeforeRun},
	{"blob is streamed", blobStreamed},
	{"blobs beside each other", blobsBeside},
}

// pattern gives n bytes that do not repeat soon, in odd portions.
func pattern(n int) io.Reader { return &patternReader{left: n} }

type patternReader struct{ at, left int }

func (r *patternReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left, 70_001)
	for i := range n {
		x := r.at + i
		p[i] = byte(x*31 + x>>8*7 + x>>16)
	}
	r.at, r.left = r.at+n, r.left-n
	return n, nil
}

func (e env) put(n int) store.Blob {
	e.t.Helper()
	b, err := e.s.PutBlob(e.t.Context(), 1, pattern(n))
	e.ok("PutBlob", err)
	if b.ID == 0 || b.Size != int64(n) {
		e.t.Fatalf("PutBlob of %d bytes gave %+v", n, b)
	}
	return b
}

// blobIs compares a blob with the pattern.
func (e env) blobIs(b store.Blob, n int) {
	e.t.Helper()
	r, err := e.s.OpenBlob(e.t.Context(), b)
	e.ok("OpenBlob", err)
	got, err := io.ReadAll(r)
	e.ok("reading a blob", err)
	e.ok("closing a blob", r.Close())
	want, err := io.ReadAll(pattern(n))
	e.ok("pattern", err)
	if !bytes.Equal(got, want) {
		e.t.Errorf("blob of %d bytes: read %d bytes, not the same", n, len(got))
	}
}

var blobLengths = []int{0, 1, 2, 255, 64 << 10, 256<<10 - 1, 256 << 10, 256<<10 + 1, 5_000_000}

func blobSizes(e env) {
	e.commit(newRun(1))
	var blobs []store.Blob
	for _, n := range blobLengths {
		blobs = append(blobs, e.put(n))
	}
	for i, n := range blobLengths {
		e.blobIs(blobs[i], n)
		if i > 0 && blobs[i].ID == blobs[i-1].ID {
			e.t.Errorf("two blobs have number %d", blobs[i].ID)
		}
	}
	// Read in part, and closed.
	r, err := e.s.OpenBlob(e.t.Context(), blobs[len(blobs)-1])
	e.ok("OpenBlob", err)
	_, err = io.CopyN(io.Discard, r, 300_000)
	e.ok("reading some", err)
	e.ok("Close", r.Close())
}

func blobMissing(e env) {
	b := e.put(5)
	for _, id := range []int64{b.ID + 1, -1, 1 << 40} {
		if _, err := e.s.OpenBlob(e.t.Context(), store.Blob{ID: id, Size: 5}); !errors.Is(err, api.ErrNotFound) {
			e.t.Errorf("OpenBlob of number %d: %v, want ErrNotFound", id, err)
		}
	}
}

func blobReadError(e env) {
	broken := errors.New("broken")
	for _, n := range []int{0, 10, 600_000} {
		_, err := e.s.PutBlob(e.t.Context(), 1, io.MultiReader(pattern(n), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			e.t.Errorf("PutBlob from a reader that fails after %d bytes: %v", n, err)
		}
	}
	e.blobIs(e.put(600_000), 600_000)
}

// A plan that is too long is stored before the run that it is of.
func blobBeforeRun(e env) {
	b := e.put(100_000)
	n := newRun(1)
	n.NewRun.Plan = store.EncodeRef(store.Payload{Blob: b})
	e.commit(n)
	r := e.run(1)
	e.equal("reference", store.DecodeRef(r.Plan).Blob, b)
	e.blobIs(b, 100_000)
}

// Commits and other blobs go on while one is written slowly.
func blobStreamed(e env) {
	e.commit(newRun(1))
	pr, pw := io.Pipe()
	put := make(chan store.Blob)
	go func() {
		b, err := e.s.PutBlob(e.t.Context(), 1, pr)
		if err != nil {
			e.t.Errorf("PutBlob: %v", err)
		}
		put <- b
	}()
	src := pattern(1_000_000)
	for i := range int64(10) {
		_, err := io.CopyN(pw, src, 100_000)
		e.ok("writing", err)
		e.commit(insertTask(1, 100+i, api.Running))
		e.blobIs(e.put(1000), 1000)
	}
	e.ok("closing", pw.Close())
	e.blobIs(<-put, 1_000_000)
}

func blobsBeside(e env) {
	const n = 4
	done := make(chan store.Blob, n)
	for i := range n {
		go func() {
			b, err := e.s.PutBlob(e.t.Context(), 1, pattern(400_000+i))
			if err != nil {
				e.t.Errorf("PutBlob: %v", err)
			}
			runtime.Gosched()
			done <- b
		}()
	}
	for range n {
		b := <-done
		e.blobIs(b, int(b.Size))
	}
}
