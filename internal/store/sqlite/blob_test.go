package sqlite_test

import (
	"errors"
	"io"
	"testing"

	zombie "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// A crash while a large value is written leaves a row without a size and some
// chunks. The next Open removes them, and them only.
func TestUnfinishedBlobIsSwept(t *testing.T) {
	path := newPath(t)
	s := open(t, path, small)
	commit(t, s, newRun(1))
	put := func(size int64) store.Blob {
		t.Helper()
		b, err := s.PutBlob(t.Context(), 1, zeros(size))
		if err != nil {
			t.Fatalf("PutBlob: %v", err)
		}
		return b
	}
	// The second is longer than what is removed at a time, and than the log.
	whole, cut := put(600_000), put(9_000_000)
	closeStore(t, s)
	script(t, path, `UPDATE blob SET size = -1 WHERE id = 2;
		DELETE FROM blob_chunk WHERE id = (SELECT max(id) FROM blob_chunk)`)
	if n := rows(t, path, "blob_chunk"); n != 3+34 {
		t.Fatalf("%d chunks before the sweep, want %d", n, 3+34)
	}

	s = open(t, path, small)
	if _, err := s.OpenBlob(t.Context(), cut); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("opening the unfinished blob: %v, want ErrNotFound", err)
	}
	r, err := s.OpenBlob(t.Context(), whole)
	if err != nil {
		t.Fatalf("opening the finished blob: %v", err)
	}
	if n, err := io.Copy(io.Discard, r); err != nil || n != whole.Size {
		t.Errorf("the finished blob: %d bytes, error %v; want %d", n, err, whole.Size)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
	if blobs, chunks := rows(t, path, "blob"), rows(t, path, "blob_chunk"); blobs != 1 || chunks != 3 {
		t.Errorf("%d blobs and %d chunks are left, want 1 and 3", blobs, chunks)
	}
}

// A large value comes before its run, or after its run was removed: nobody
// would ever remove it.
func TestBlobWithoutRunIsSwept(t *testing.T) {
	path := newPath(t)
	s := open(t, path, small)
	commit(t, s, newRun(1), newRun(2), &store.Transition{Run: 2, SetRun: &store.RunSet{State: api.Failed}})
	expire(t, s, 100)
	for run := range int64(4) {
		if _, err := s.PutBlob(t.Context(), run, zeros(300_000)); err != nil {
			t.Fatalf("PutBlob: %v", err)
		}
	}
	closeStore(t, s)
	closeStore(t, open(t, path, small))
	if blobs, chunks := rows(t, path, "blob"), rows(t, path, "blob_chunk"); blobs != 1 || chunks != 2 {
		t.Errorf("%d blobs and %d chunks are left, want 1 and 2", blobs, chunks)
	}
}

// rows counts a table's rows, in a file that nobody has open.
func rows(t *testing.T, path, table string) (n int64) {
	t.Helper()
	conn, err := zombie.OpenConn(path, zombie.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(conn, "SELECT count(*) FROM "+table, &sqlitex.ExecOptions{
		ResultFunc: func(st *zombie.Stmt) error {
			n = st.ColumnInt64(0)
			return nil
		},
	})
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}

// A blob of run 0 stays only if a record has it, and what a record has no more
// leaves no chunk behind.
func TestBlobsOfNobodyAreSwept(t *testing.T) {
	path := newPath(t)
	s := open(t, path, small)
	var blobs [3]store.Blob
	for i := range blobs {
		var err error
		if blobs[i], err = s.PutBlob(t.Context(), 0, zeros(300_000)); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range blobs[:2] { // the second takes the first one's place
		if err := s.PutRecords(t.Context(), store.RecordWrite{Kind: "cache", Key: "a", Value: []byte("v"), Blob: b.ID}); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = open(t, path, small)
	if _, err := s.OpenBlob(t.Context(), blobs[2]); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("opening the blob of nobody: %v, want ErrNotFound", err)
	}
	if _, more, err := s.Expire(t.Context(), 0, 1000); more || err != nil {
		t.Errorf("Expire: more %t, %v", more, err)
	}
	closeStore(t, s)
	if n := rows(t, path, "blob"); n != 1 {
		t.Errorf("%d blobs are left, want 1", n)
	}
	if n := rows(t, path, "blob_chunk"); n != 2 {
		t.Errorf("%d chunks are left, want 2", n)
	}
}
