// Package runneltest runs tasks and pipelines in a user's tests: on an engine
// in memory, in a bubble of [testing/synctest] where time is not real. A retry
// in an hour comes at once, and nothing has to be waited for by guessing.
//
//	func TestInvoice(t *testing.T) {
//		runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
//			got := runneltest.Value(t, eng, render.Send(42).ContinueWith(mail))
//			…
//		}, runnel.Register(render, mail))
//	}
//
// It must not know more of Runnel than its users do: it imports the root and
// package api only.
package runneltest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
)

// patience bounds how long [Value] and [Failure] wait for a run, in fake time:
// a year. A run that waits for an answer from outside, or is paused, never ends
// by itself; without a bound the test would.
const patience = 365 * 24 * time.Hour

// Run calls test in a bubble of testing/synctest, with an engine in memory that
// is closed afterwards. Time stands still while anything moves, and jumps to
// the next timer when nothing does. Bodies must not wait for anything outside
// the bubble, such as the network.
func Run(t *testing.T, test func(t *testing.T, eng *runnel.Engine), opts ...runnel.OpenOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.WithoutCancel(t.Context())
		eng, err := runnel.Open(ctx, "memory:", opts...)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer func() {
			if err := eng.Close(ctx); err != nil {
				t.Errorf("close: %v", err)
			}
		}()
		test(t, eng)
	})
}

// Value runs a pipeline and gives its result. The test ends if it fails.
func Value[R any](tb testing.TB, eng *runnel.Engine, p runnel.Runnable[R]) R {
	tb.Helper()
	v, err := run(tb, eng, p)
	if err != nil {
		tb.Fatalf("run: %v", err)
	}
	return v
}

// Failure runs a pipeline that must fail and gives its failure. The test ends
// if it goes well, or can't be submitted.
func Failure[R any](tb testing.TB, eng *runnel.Engine, p runnel.Runnable[R]) *runnel.Failure {
	tb.Helper()
	v, err := run(tb, eng, p)
	var f *runnel.Failure
	if !errors.As(err, &f) {
		tb.Fatalf("run: got %v and error %v, want a failure", v, err)
	}
	return f
}

func run[R any](tb testing.TB, eng *runnel.Engine, p runnel.Runnable[R]) (R, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	return eng.Run(ctx, p)
}

// Advance lets time pass, and returns once nothing moves any more.
func Advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// Idle returns once nothing moves any more: each run has ended, or waits for
// time, for an answer from outside, or for being resumed.
func Idle() { synctest.Wait() }
