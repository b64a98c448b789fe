package sqlite_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
)

// A process with mounts of its own has a disk of 16 MB.
func TestDiskFull(t *testing.T) {
	if dir := os.Getenv(childVariable); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
			t.Fatalf("mount: %v", err)
		}
		fillDisk(t, dir)
		return
	}
	cmd := child(t, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skip("this system does not let a test mount a disk of its own")
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}

func fillDisk(t *testing.T, dir string) {
	t.Helper()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "runnel.db")
	s := open(t, path, sqlite.Options{})
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() > 2<<20 {
		t.Errorf("on a disk of 16 MB, the log was laid out with %d bytes, error %v", info.Size(), err)
	}
	commit(t, s, newRun(1))
	cell := make([]byte, 50_000)
	last := int64(0)
	// A commit that fails may be followed by one that fits, when the log has
	// started over meanwhile.
	for refused := 0; refused < 5; {
		if last == 1000 {
			t.Fatal("the disk was never full")
		}
		_, err := s.Commit(t.Context(), []*store.Transition{task(last+1, api.Completed, cell), newRun(last + 2)})
		switch {
		case err == nil:
			last, refused = last+1, 0
		case errors.Is(err, store.ErrRetry) && errors.Is(err, api.ErrStore):
			refused++
		default:
			t.Fatalf("Commit on a full disk: %v, want ErrRetry and ErrStore", err)
		}
	}
	if _, err := s.PutBlob(t.Context(), 1, zeros(16<<20)); !errors.Is(err, store.ErrRetry) {
		t.Errorf("PutBlob on a full disk: %v, want ErrRetry", err)
	}
	stored(t, s, last)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		last++
		commit(t, s, task(last, api.Completed, cell), newRun(last+1))
	}
	stored(t, s, last)
	closeStore(t, s)
	stored(t, open(t, path, sqlite.Options{}), last)
	check(t, path)
}

// stored holds the store to so many tasks, and one run more.
func stored(t *testing.T, s store.Store, want int64) {
	t.Helper()
	n := int64(0)
	err := s.Tasks(t.Context(), 1, 0, math.MaxInt64, func(*store.TaskRow) error {
		n++
		return nil
	})
	last, lastErr := s.LastRun(t.Context())
	if err != nil || lastErr != nil || n != want || last != want+1 {
		t.Errorf("%d task runs (%v) and %d runs (%v) are stored, want %d task runs", n, err, last, lastErr, want)
	}
}
