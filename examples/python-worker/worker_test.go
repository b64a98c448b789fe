// Package pythonworker runs the worker in Python against a server.
package pythonworker_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func TestPythonWorker(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is needed (Debian: apt-get install python3):", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	eng, err := runnel.Open(ctx, "memory:", runnel.LogTo(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close(ctx)
	srv := httptest.NewServer(eng.Handler())
	defer srv.Close()
	known, stop := watch(ctx, eng)
	defer stop()
	worker := exec.CommandContext(ctx, python, "worker.py")
	worker.Env = append(os.Environ(), "RUNNEL_SERVER="+srv.URL)
	worker.Stderr = os.Stderr
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	<-known

	words := runnel.Ref1[string, map[string]int]("py.word_count").Send("to be or not to be")
	run, err := eng.Submit(ctx, words)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := run.Wait(ctx); err != nil || got["be"] != 2 || len(got) != 4 {
		t.Errorf("counted %v, %v", got, err)
	}
	lines := 0
	for l, err := range eng.Logs(ctx, api.LogFilter{Run: run.ID()}) {
		if lines++; err != nil || l.Text != "4 words" {
			t.Errorf("line %+v, %v", l, err)
		}
	}
	if lines != 1 {
		t.Errorf("%d lines, want 1", lines)
	}
	if _, err := eng.Run(ctx, runnel.Ref1[string, any]("py.refuse").Send("not yet")); err != nil {
		t.Errorf("the third attempt: %v", err)
	}
	long, err := eng.Submit(ctx, runnel.Ref1[float64, string]("py.wait").Send(50))
	if err != nil {
		t.Fatal(err)
	}
	if err := long.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := long.Wait(ctx); !errors.Is(err, runnel.ErrCancelled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := worker.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// watch gives what is closed once the worker's tasks are known.
func watch(ctx context.Context, eng *runnel.Engine) (known <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan struct{})
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := eng.Submit(ctx, runnel.Ref1[float64, string]("py.wait").Send(0)); err == nil {
				close(ready)
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ready, cancel
}
