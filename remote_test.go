package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

var errFar = errors.New("far away")

// farAway is an engine that does what another one, behind a server, does.
func farAway(t *testing.T, tasks ...runnel.AnyTask) *runnel.Engine {
	t.Helper()
	near, err := runnel.Open(t.Context(), "memory:", runnel.Register(tasks...), runnel.Errors("far", errFar))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(near.Handler(runnel.RequireToken("sesame")))
	far, err := runnel.Open(t.Context(), srv.URL, runnel.Register(tasks...), runnel.Errors("far", errFar), runnel.BearerToken("sesame"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(far.Close(context.WithoutCancel(t.Context())), near.Close(context.WithoutCancel(t.Context()))); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return far
}

func TestServerRunsPipelines(t *testing.T) {
	square := runnel.NewTask1("square", func(_ context.Context, x int) (int, error) { return x * x, nil })
	sum := runnel.NewTask1("sum", func(_ context.Context, xs []int) (int, error) {
		total := 0
		for _, x := range xs {
			total += x
		}
		return total, nil
	})
	eng := farAway(t, square, sum)
	var squares []runnel.Pipeline[int]
	for i := range 10 {
		squares = append(squares, square.Send(i))
	}
	got, err := eng.Run(t.Context(), runnel.InParallel(squares).ContinueWith(sum))
	if err != nil || got != 285 {
		t.Fatalf("got %d %v, want 285", got, err)
	}
	run, err := eng.Submit(t.Context(), square.Send(3), runnel.Name("three"), runnel.SubmitKey("once"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := eng.Submit(t.Context(), square.Send(3), runnel.Name("three"), runnel.SubmitKey("once"))
	if err != nil || again.ID() != run.ID() {
		t.Errorf("the same key made another run: %v", err)
	}
	if _, err := eng.Submit(t.Context(), square.Send(4), runnel.SubmitKey("once")); !errors.Is(err, runnel.ErrConflict) {
		t.Errorf("another pipeline under the key gave %v, want ErrConflict", err)
	}
	if got, err := run.Wait(t.Context()); err != nil || got != 9 {
		t.Errorf("got %d %v", got, err)
	}
	status, err := run.Status(t.Context())
	if err != nil || status.Name != "three" || status.State != api.Completed {
		t.Errorf("%+v %v", status, err)
	}
	attached, err := eng.Attach[int](t.Context(), run.ID())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := attached.Result(t.Context()); err != nil || got != 9 {
		t.Errorf("got %d %v", got, err)
	}
	if err := eng.Delete(t.Context(), run.ID()); err != nil {
		t.Error(err)
	}
	if _, err := eng.Attach[int](t.Context(), run.ID()); !errors.Is(err, runnel.ErrNotFound) {
		t.Errorf("a run that was removed gave %v", err)
	}
}

func TestServerGivesErrorsBack(t *testing.T) {
	fail := runnel.NewTask0("fail", func(context.Context) (int, error) { return 0, fmt.Errorf("so %w", errFar) })
	eng := farAway(t, fail)
	run, err := eng.Submit(t.Context(), fail.Send())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(t.Context()); !errors.Is(err, errFar) {
		t.Errorf("got %v, want the error that was named", err)
	}
	if err := run.Pause(t.Context()); !errors.Is(err, runnel.ErrConflict) {
		t.Errorf("pausing what has failed gave %v", err)
	}
	if _, err := eng.Attach[int](t.Context(), "00000000-0000-7000-8000-000000000000"); !errors.Is(err, runnel.ErrNotFound) {
		t.Errorf("no such run gave %v", err)
	}
	if err := run.Retry(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(t.Context()); !errors.Is(err, errFar) {
		t.Errorf("after a retry: %v", err)
	}
}

func TestServerKeepsLimitsAndSchedules(t *testing.T) {
	noop := runnel.NewTask0("noop", func(context.Context) (int, error) { return 0, nil })
	eng := farAway(t, noop)
	if err := eng.Limits().Create(t.Context(), "db", 3); err != nil {
		t.Fatal(err)
	}
	if l, err := eng.Limits().Read(t.Context(), "db"); err != nil || l.Limit != 3 {
		t.Errorf("%+v %v", l, err)
	}
	if err := eng.Schedules().Create(t.Context(), "hourly", runnel.Every(time.Hour), noop.Send()); err != nil {
		t.Fatal(err)
	}
	var names []string
	for s, err := range eng.Schedules().List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"hourly"}) {
		t.Errorf("listed %q", names)
	}
}

func TestServerRefuses(t *testing.T) {
	if _, err := runnel.Open(t.Context(), "http://127.0.0.1:1", runnel.Retention(time.Hour)); !errors.Is(err, runnel.ErrInvalid) {
		t.Errorf("retention of a server gave %v", err)
	}
	if _, err := runnel.Open(t.Context(), "http://127.0.0.1:1"); err == nil {
		t.Error("a server that is not there was opened")
	}
	if _, err := runnel.Open(t.Context(), "memory:", runnel.BearerToken("x")); !errors.Is(err, runnel.ErrInvalid) {
		t.Errorf("a token for memory gave %v", err)
	}
	eng := farAway(t)
	if _, err := eng.Acquire(t.Context(), "x"); !errors.Is(err, runnel.ErrInvalid) {
		t.Errorf("slots of a server gave %v", err)
	}
	if _, err := eng.SubmitSQLTx(t.Context(), nil, runnel.NewTask0("t", func(context.Context) (int, error) { return 0, nil }).Send()); !errors.Is(err, runnel.ErrInvalid) {
		t.Errorf("a transaction through a server gave %v", err)
	}
}
