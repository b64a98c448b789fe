package runneltest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/runneltest"
)

var double = runnel.NewTask1("double", func(_ context.Context, x int) (int, error) { return 2 * x, nil })

func TestValue(t *testing.T) {
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		if got := runneltest.Value(t, eng, double.Send(4).ContinueWith(double)); got != 16 {
			t.Errorf("got %d, want 16", got)
		}
	}, runnel.Register(double))
}

func TestTimeIsNotReal(t *testing.T) {
	var times []time.Duration
	var begin time.Time
	flaky := runnel.NewTask0("flaky", func(context.Context) (runnel.None, error) {
		times = append(times, time.Since(begin))
		return runnel.None{}, errors.New("no")
	}, runnel.Retries(2), runnel.ExponentialBackoff(time.Hour, 0))
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		begin = time.Now()
		f := runneltest.Failure(t, eng, flaky.Send())
		if f.Message != "no" || f.Attempt != 3 {
			t.Errorf("failure %+v", f)
		}
		if len(times) != 3 || times[1] != time.Hour || times[2] != 3*time.Hour {
			t.Errorf("attempts at %v", times)
		}
	}, runnel.Register(flaky))
}

func TestAdvanceAndIdle(t *testing.T) {
	sleep := runnel.NewTask0("sleep", func(ctx context.Context) (runnel.None, error) {
		select {
		case <-time.After(time.Hour):
			return runnel.None{}, nil
		case <-ctx.Done():
			return runnel.None{}, context.Cause(ctx)
		}
	})
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		run, err := eng.Submit(t.Context(), sleep.Send())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []api.State{api.Running, api.Completed} {
			runneltest.Idle()
			if status, err := run.Status(t.Context()); err != nil || status.State != want {
				t.Errorf("state %v (%v), want %v", status.State, err, want)
			}
			runneltest.Advance(time.Hour)
		}
	}, runnel.Register(sleep))
}
