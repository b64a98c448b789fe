package runnel_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// Tf: a retry that waits for its time comes on time after a restart, or at once if
// its time has passed.
func TestRetryAfterRestart(t *testing.T) {
	for _, c := range []struct {
		name   string
		down   time.Duration
		begins time.Duration
	}{
		{"in time", time.Minute, time.Hour},
		{"too late", 2 * time.Hour, 2*time.Hour + 30*time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			dsn := dsnOf(t, "sqlite")
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var attempts []time.Duration
				flaky := runnel.NewTask0("flaky", func(ctx context.Context) (int, error) {
					attempts = append(attempts, time.Since(began))
					if n := runnel.TaskRun(ctx).Attempt; n > 1 {
						return n, nil
					}
					return 0, errors.New("not yet")
				}, runnel.Retries(1), runnel.RetryDelay(time.Hour))
				eng := reopen(t, dsn, runnel.Register(flaky))
				run, err := eng.Submit(t.Context(), flaky.Send())
				do(t, err)
				do(t, pause(t.Context(), 30*time.Minute))
				interrupt(t, eng)
				do(t, pause(t.Context(), c.down))
				eng = reopen(t, dsn, runnel.Register(flaky))
				defer shut(t, eng)
				again, err := eng.Attach[int](t.Context(), run.ID())
				do(t, err)
				ends(t, 2, again)
				wants(t, "attempts", attempts, []time.Duration{0, c.begins})
			})
		})
	}
}

// Tl: task runs are found by their own tags, by all or by any of several.
func TestTaskRunsByTag(t *testing.T) {
	echo := runnel.NewTask1("says", func(_ context.Context, s string) (string, error) { return s, nil })
	bubbled(t, "Tl", func(t *testing.T, s *suite) {
		run := s.submit(t, runnel.InParallel(runnel.List(
			echo.Send("a").Set(runnel.Tags("a")), echo.Send("b").Set(runnel.Tags("b")),
			echo.Send("ab").Set(runnel.Tags("a", "b")), echo.Send("none"))))
		_, err := run.Wait(t.Context())
		do(t, err)
		for _, c := range []struct {
			all, anyOf []string
			want       []string
		}{
			{nil, nil, []string{"a", "b", "ab", "none"}},
			{[]string{"a"}, nil, []string{"a", "ab"}},
			{[]string{"a", "b"}, nil, []string{"ab"}},
			{nil, []string{"a", "b"}, []string{"a", "b", "ab"}},
			{nil, []string{"b", "c"}, []string{"b", "ab"}},
			{[]string{"a"}, []string{"b"}, []string{"ab"}},
			{nil, []string{"c"}, nil},
		} {
			var got []string
			for _, row := range taskRuns(t, s, api.TaskRunFilter{Run: run.ID(), Tags: c.all, AnyOf: c.anyOf}) {
				got = append(got, string(row.Result[1:len(row.Result)-1]))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("with all of %v and any of %v: %v, want %v", c.all, c.anyOf, got, c.want)
			}
		}
	}, runnel.Register(echo))
}
