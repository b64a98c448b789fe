package runnel_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func TestFileGoesOn(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "runs.db") + "?sync=normal"
	eng := reopen(t, dsn, seed)
	done, err := eng.Submit(t.Context(), multiply.Send(6, 7))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := done.Wait(t.Context()); v != 42 || err != nil {
		t.Fatalf("got %d (%v)", v, err)
	}
	waiting, err := eng.Submit(t.Context(), multiply.Send(2, 3).Wait().ContinueWith(double))
	if err != nil {
		t.Fatal(err)
	}
	if other, err := runnel.Open(t.Context(), dsn); !errors.Is(err, runnel.ErrStore) {
		t.Errorf("opened twice: %v, %v", other, err)
	}
	shut(t, eng)
	if _, err := waiting.Wait(t.Context()); !errors.Is(err, runnel.ErrClosed) {
		t.Errorf("waited on a closed engine: %v", err)
	}
	if _, err := eng.Submit(t.Context(), double.Send(1)); !errors.Is(err, runnel.ErrClosed) {
		t.Errorf("submitted to a closed engine: %v", err)
	}

	eng = reopen(t, dsn, seed)
	defer shut(t, eng)
	again, err := eng.Attach[int](t.Context(), done.ID())
	if err != nil {
		t.Fatal(err)
	}
	if v, err := again.Result(t.Context()); v != 42 || err != nil {
		t.Errorf("got %d (%v)", v, err)
	}
	if again, err = eng.Attach[int](t.Context(), waiting.ID()); err != nil {
		t.Fatal(err)
	}
	for status := (api.Run{}); status.State != api.Paused; { // the first task may run again first
		if status, err = again.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := again.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := again.Wait(t.Context()); v != 12 || err != nil {
		t.Errorf("got %d (%v)", v, err)
	}
}

func reopen(t *testing.T, dsn string, opts ...runnel.OpenOption) *runnel.Engine {
	t.Helper()
	eng, err := runnel.Open(t.Context(), dsn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return eng
}

func shut(t *testing.T, eng *runnel.Engine) {
	t.Helper()
	if err := eng.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}
