package sqlite_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// zeros gives n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// child runs a test again in a process of its own, with the variable set that
// makes it do its other half.
func child(t *testing.T, value string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childVariable+"="+value)
	return cmd
}

const childVariable = "RUNNEL_TEST_CHILD"

const (
	crashGroup = 7         // tasks of a commit
	crashCount = 1_000_000 // children of the frame
)

// A process is killed while it commits, time and again. What it was told is
// committed is there, and no commit in part.
func TestKilled(t *testing.T) {
	if path := os.Getenv(childVariable); path != "" {
		commitForEver(t, path)
		return
	}
	path := newPath(t)
	s := open(t, path, small)
	frame := store.FrameWrite{ID: 1, State: store.FrameOpen, Count: crashCount, Pending: crashCount}
	commit(t, s, newRun(1), &store.Transition{Run: 1, Frames: []store.FrameWrite{frame}})
	closeStore(t, s)
	last := int64(0)
	for round := range 4 {
		acked, blobs := killed(t, path, last, 100+50*round)
		check(t, path)
		s := open(t, path, small)
		last = afterCrash(t, s, acked)
		for _, b := range blobs {
			r, err := s.OpenBlob(t.Context(), b)
			if err != nil {
				t.Fatalf("blob %d: %v", b.ID, err)
			}
			if n, err := io.Copy(io.Discard, r); err != nil || n != b.Size {
				t.Errorf("blob %d: %d bytes of %d, error %v", b.ID, n, b.Size, err)
			}
		}
		closeStore(t, s)
	}
}

// killed runs the other half, kills it after some lines, and gives the last
// number that it wrote, and its blobs.
func killed(t *testing.T, path string, last int64, lines int) (acked int64, blobs []store.Blob) {
	t.Helper()
	cmd := child(t, path)
	cmd.Env = append(cmd.Env, fmt.Sprintf("RUNNEL_TEST_FROM=%d", last))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked = -1
	in := bufio.NewScanner(out)
	for n := 0; in.Scan(); n++ {
		var id int64
		var b store.Blob
		if _, err := fmt.Sscanf(in.Text(), "committed %d.", &id); err == nil {
			acked = id
		} else if _, err := fmt.Sscanf(in.Text(), "blob %d %d.", &b.ID, &b.Size); err == nil {
			blobs = append(blobs, b)
		}
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if acked < 0 || len(blobs) == 0 {
		t.Fatalf("the process committed nothing: %s", errs.String())
	}
	return acked, blobs
}

// afterCrash gives the number of the last task.
func afterCrash(t *testing.T, s store.Store, acked int64) (last int64) {
	t.Helper()
	err := s.Tasks(t.Context(), 1, 0, math.MaxInt64, func(r *store.TaskRow) error {
		if last++; r.ID != last || r.State != api.Completed || string(r.Cell) != strconv.FormatInt(r.ID, 10) {
			t.Fatalf("task run %d: %+v", last, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if last < acked || last%crashGroup != 0 {
		t.Errorf("%d task runs are stored, %d were acknowledged", last, acked)
	}
	err = s.Frames(t.Context(), 1, 0, math.MaxInt64, func(f *store.FrameRow) error {
		if f.Pending != crashCount-last || f.Low != last {
			t.Errorf("%d task runs are stored, but the frame has %d pending and all below %d", last, f.Pending, f.Low)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// commitForEver commits and says so, until it is killed.
func commitForEver(t *testing.T, path string) {
	t.Helper()
	var id int64
	if _, err := fmt.Sscan(os.Getenv("RUNNEL_TEST_FROM"), &id); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, small)
	for n := 0; ; n++ {
		var batch []*store.Transition
		for range crashGroup {
			id++
			tr := task(id, api.Completed, fmt.Append(nil, id))
			tr.AddJoin(store.Join{Frame: 1, Ended: 1, Low: id})
			batch = append(batch, tr)
		}
		commit(t, s, batch...)
		fmt.Fprintf(os.Stdout, "committed %d.\n", id)
		if n%20 == 0 {
			b, err := s.PutBlob(t.Context(), 1, zeros(600_000))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(os.Stdout, "blob %d %d.\n", b.ID, b.Size)
		}
	}
}
