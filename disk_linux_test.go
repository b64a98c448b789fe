package runnel_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// smallDisk mounts a disk of 16 MB. Whoever may not mount skips the test; make
// disk does not let that pass.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("this user may not mount a disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// ballast leaves so many bytes of a disk free.
func ballast(t *testing.T, dir string, free uint64) string {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ballast")
	if err := os.WriteFile(path, make([]byte, disk.Bavail*uint64(disk.Bsize)-free), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFullDisk fills a disk while a run is in progress: new runs are refused,
// nothing that was accepted is lost, and all of it goes on by itself once there
// is room again.
func TestFullDisk(t *testing.T) {
	const branches, size = 60, 50_000
	dir := smallDisk(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	var bodies [branches]atomic.Int32
	write := runnel.NewTask1("write", func(_ context.Context, i int) (string, error) {
		bodies[i].Add(1)
		return strings.Repeat("x", size), nil
	})
	measure := runnel.NewTask1("measure", func(_ context.Context, texts []string) (int, error) {
		return len(strings.Join(texts, "")), nil
	})
	file := "sqlite:" + filepath.Join(dir, "runnel.db")
	eng, err := runnel.Open(ctx, file, runnel.Register(write, measure))
	if err != nil {
		t.Fatal(err)
	}
	heavy := ballast(t, dir, 1<<20)
	list := make([]int, branches)
	for i := range list {
		list[i] = i
	}
	large, err := eng.Submit(ctx, runnel.Value(list).ContinueWith(runnel.Each(write)).ContinueWith(measure))
	if err != nil {
		t.Fatal(err)
	}

	accepted := []*runnel.Run[int]{}
	refuse(ctx, t, func() error {
		run, err := eng.Submit(ctx, measure.Send([]string{"a", "bc"}))
		if err == nil {
			accepted = append(accepted, run)
		}
		return err
	})
	if status, err := large.Status(ctx); err != nil || status.State != api.Running {
		t.Errorf("the large run is %v (%v), want it to wait for room", status.State, err)
	}
	if err := os.Remove(heavy); err != nil {
		t.Fatal(err)
	}

	finished(ctx, t, large, branches*size)
	for i := range bodies {
		if n := bodies[i].Load(); n != 1 {
			t.Errorf("body %d ran %d times", i, n)
		}
	}
	after, err := eng.Submit(ctx, measure.Send([]string{"abc"}))
	if err != nil {
		t.Fatalf("there is room again: %v", err)
	}
	accepted = append(accepted, after)
	for _, run := range accepted {
		finished(ctx, t, run, 3)
	}
	if err := eng.Close(ctx); err != nil {
		t.Error(err)
	}
	reopened(ctx, t, file, len(accepted)+1, runnel.Register(write, measure))
}

// refuse submits until it is refused.
func refuse(ctx context.Context, t *testing.T, submit func() error) {
	t.Helper()
	for {
		switch err := submit(); {
		case errors.Is(err, runnel.ErrStore):
			return
		case err != nil || ctx.Err() != nil:
			t.Fatalf("on a full disk: %v, want ErrStore", err)
		}
	}
}

func finished(ctx context.Context, t *testing.T, run *runnel.Run[int], want int) {
	t.Helper()
	if got, err := run.Wait(ctx); err != nil || got != want {
		t.Errorf("run %s: %d (%v), want %d", run.ID(), got, err, want)
	}
}

// reopened wants so many runs in a file, all completed.
func reopened(ctx context.Context, t *testing.T, file string, want int, opts ...runnel.OpenOption) {
	t.Helper()
	eng, err := runnel.Open(ctx, file, opts...)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for run, err := range eng.Runs(ctx, api.RunFilter{}) {
		if n++; err != nil || run.State != api.Completed {
			t.Errorf("run %s is %v (%v)", run.ID, run.State, err)
		}
	}
	if n != want {
		t.Errorf("%d runs, want %d", n, want)
	}
	if err := eng.Close(ctx); err != nil {
		t.Error(err)
	}
}
