package runnel_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/runneltest"
)

const day = 24 * time.Hour

// listed gives the ids of all runs.
func listed(t *testing.T, eng *runnel.Engine) (ids []string) {
	t.Helper()
	for run, err := range eng.Runs(t.Context(), api.RunFilter{}) {
		do(t, err)
		ids = append(ids, run.ID)
	}
	return ids
}

// missing holds everything that takes a run's id to ErrNotFound.
func missing[R any](t *testing.T, eng *runnel.Engine, run *runnel.Run[R]) {
	t.Helper()
	_, attached := eng.Attach[R](t.Context(), run.ID())
	_, status := run.Status(t.Context())
	_, result := run.Result(t.Context())
	_, request := run.Request(t.Context())
	all := map[string]error{
		"Attach": attached, "Status": status, "Result": result, "Request": request, "Retry": run.Retry(t.Context()),
		"Pause": run.Pause(t.Context()), "Resume": run.Resume(t.Context()), "Cancel": run.Cancel(t.Context()),
	}
	for _, err := range eng.Logs(t.Context(), api.LogFilter{Run: run.ID()}) {
		all["Logs"] = err
	}
	for _, err := range eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID()}) {
		all["TaskRuns"] = err
	}
	for what, err := range all {
		if !errors.Is(err, runnel.ErrNotFound) {
			t.Errorf("%s of a removed run: %v, want ErrNotFound", what, err)
		}
	}
}

func TestRetention(t *testing.T) {
	inBubblesOf(t, forDays, func(t *testing.T, s *suite) {
		large := runnel.Value(strings.Repeat("x", 200_000)).ContinueWith(s.val)
		done, failed := s.submit(t, large), s.submit(t, fails[int]("m"))
		paused := s.submit(t, s.hi.Send("J", "D").Wait().ContinueWith(s.val))
		if _, err := done.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		endsBadly(t, failed)
		is(t, api.Paused, paused)
		runneltest.Advance(30*day - time.Minute)
		wants(t, "runs after 30 days", len(listed(t, s.eng)), 3)
		runneltest.Advance(2 * time.Hour)
		wants(t, "runs after two hours more", listed(t, s.eng), []string{paused.ID()})
		missing(t, s.eng, done)
		missing(t, s.eng, failed)

		// What is live stays as long as it likes, and its time begins at its end.
		runneltest.Advance(300 * day)
		do(t, paused.Resume(t.Context()))
		ends(t, "V:H J D", paused)
		again := s.submit(t, s.hi.Send("S", "D"))
		ends(t, "H S D", again)
		runneltest.Advance(20 * day)
		wants(t, "runs", len(listed(t, s.eng)), 2)
		runneltest.Advance(11 * day)
		wants(t, "runs at last", len(listed(t, s.eng)), 0)
	})
}

func TestDelete(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		done, failed := s.submit(t, s.hi.Send("J", "D")), s.submit(t, fails[int]("m"))
		ends(t, "H J D", done)
		endsBadly(t, failed)
		paused := s.submit(t, s.hi.Send("J", "D").Wait().ContinueWith(s.val))
		matches(t, s.eng.Delete(t.Context(), paused.ID()), runnel.ErrConflict)
		do(t, s.eng.Delete(t.Context(), done.ID()))
		do(t, s.eng.Delete(t.Context(), failed.ID()))
		missing(t, s.eng, done)
		missing(t, s.eng, failed)
		wants(t, "runs", listed(t, s.eng), []string{paused.ID()})
		matches(t, s.eng.Delete(t.Context(), done.ID()), runnel.ErrNotFound)
	})
}

func TestRetentionForEver(t *testing.T) {
	for _, keep := range []time.Duration{0, -1} {
		inBubblesOf(t, forDays, func(t *testing.T, s *suite) {
			ends(t, "H J D", s.submit(t, s.hi.Send("J", "D")))
			runneltest.Advance(1_000 * day) // each hour of them looks for old cache entries
			wants(t, "runs", len(listed(t, s.eng)), 1)
		}, runnel.Retention(keep))
	}
}

func TestRetentionForHours(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		run := s.submit(t, runnel.Value(strings.Repeat("x", 200_000)).ContinueWith(s.val))
		if _, err := run.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		runneltest.Advance(2 * time.Hour)
		young := s.submit(t, s.hi.Send("J", "D"))
		ends(t, "H J D", young)
		runneltest.Advance(2 * time.Hour)
		wants(t, "runs", listed(t, s.eng), []string{young.ID()})
		missing(t, s.eng, run)
	}, runnel.Retention(150*time.Minute))
}

// A retry makes a run live, whatever its age.
func TestRetentionOfRetried(t *testing.T) {
	inBubblesOf(t, forDays, func(t *testing.T, s *suite) {
		run := s.submit(t, s.hi.Send("J", "D").ContinueWith(s.slow.With(5*time.Hour)).ContinueWith(failing[string, string]("m")))
		endsBadly(t, run)
		runneltest.Advance(23 * time.Hour)
		do(t, run.Retry(t.Context()))
		endsBadly(t, run)
		runneltest.Advance(23 * time.Hour)
		status, err := run.Status(t.Context())
		do(t, err)
		wants(t, "generation", status.Generation, 1)
		runneltest.Advance(3 * time.Hour)
		missing(t, s.eng, run)
	}, runnel.Retention(day))
}

// A database that was closed for long is swept when it is opened.
func TestRetentionAtOpen(t *testing.T) {
	dsn := dsnOf(t, "sqlite")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.WithoutCancel(t.Context())
		begin := func(opts ...runnel.OpenOption) *runnel.Engine {
			eng, err := runnel.Open(ctx, dsn, append(opts, seed)...)
			do(t, err)
			return eng
		}
		eng := begin()
		run, err := eng.Submit(ctx, double.Send(2))
		do(t, err)
		ends(t, 4, run)
		do(t, eng.Close(ctx))
		<-time.After(100 * day)
		eng = begin(runnel.Retention(200 * day))
		synctest.Wait()
		wants(t, "runs", listed(t, eng), []string{run.ID()})
		do(t, eng.Close(ctx))
		eng = begin()
		synctest.Wait()
		wants(t, "runs", len(listed(t, eng)), 0)
		do(t, eng.Close(ctx))
		eng = begin()
		next, err := eng.Submit(ctx, double.Send(3))
		do(t, err)
		ends(t, 6, next)
		_, err = eng.Attach[int](ctx, run.ID())
		matches(t, err, runnel.ErrNotFound)
		do(t, eng.Close(ctx))
	})
}

// The file stops growing while as much is removed as is added.
func TestFileUnderLoad(t *testing.T) {
	dsn := dsnOf(t, "sqlite")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.WithoutCancel(t.Context())
		var sizes []int64
		for range 20 {
			eng, err := runnel.Open(ctx, dsn, seed, runnel.Retention(day))
			do(t, err)
			for range 3 {
				var runs []*runnel.Run[[]int]
				for range 20 {
					run, err := eng.Submit(ctx, runnel.Value(make([]int, 50)).ContinueWith(runnel.Each(double)))
					do(t, err)
					runs = append(runs, run)
				}
				for _, run := range runs {
					ends(t, make([]int, 50), run)
				}
				runneltest.Advance(12 * time.Hour)
			}
			do(t, eng.Close(ctx))
			info, err := os.Stat(strings.TrimPrefix(dsn, "sqlite:"))
			do(t, err)
			sizes = append(sizes, info.Size()>>10)
		}
		if warm, last := sizes[8], sizes[len(sizes)-1]; last > warm+warm/10 {
			t.Errorf("the file grows: %d KiB", sizes)
		}
	})
}
