package runnel_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// keys gives the keys of the entries that a filter chooses.
func (s *cacheSuite) keys(t *testing.T, filter api.CacheFilter) (keys []string) {
	t.Helper()
	for entry, err := range s.eng.Cache().List(t.Context(), filter) {
		do(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

// byInput is a key that reads well.
func byInput(c runnel.CallFacts) (string, error) {
	x, err := c.Arg[json.RawMessage](0)
	return c.Task + "/" + string(x), err
}

func TestCacheEntries(t *testing.T) {
	tasks := func(s *cacheSuite) []runnel.AnyTask {
		return []runnel.AnyTask{s.double("a", runnel.CacheKey(byInput)), s.double("b", runnel.CacheKey(byInput), runnel.CacheExpiration(5*time.Hour))}
	}
	fill := func(t *testing.T, s *cacheSuite) {
		t.Helper()
		for x := range 3 {
			for _, task := range s.all {
				outcome(t, s, task.(runnel.Task1[int, int]).Send(x))
			}
		}
	}
	cached(t, "listed", tasks, func(t *testing.T, s *cacheSuite) {
		fill(t, s)
		wants(t, "all", s.keys(t, api.CacheFilter{}), []string{"a/0", "a/1", "a/2", "b/0", "b/1", "b/2"})
		wants(t, "of a task", s.keys(t, api.CacheFilter{Task: "b"}), []string{"b/0", "b/1", "b/2"})
		wants(t, "with a prefix", s.keys(t, api.CacheFilter{Prefix: "a/", Limit: 2}), []string{"a/0", "a/1"})
		wants(t, "with a key", s.keys(t, api.CacheFilter{Key: "a/1"}), []string{"a/1"})
		wants(t, "with no such key", s.keys(t, api.CacheFilter{Key: "a/11"}), nil)
		wants(t, "older", s.keys(t, api.CacheFilter{Before: time.Now().Add(-4 * time.Hour)}), []string{"a/0"})
		entry, err := s.eng.Cache().Read(t.Context(), "b/2")
		do(t, err)
		wants(t, "value", string(entry.Result), "4")
		wants(t, "size", entry.Size, int64(1))
		wants(t, "expires", entry.Expires.Sub(entry.Created), 5*time.Hour)
		_, err = s.eng.Cache().Read(t.Context(), "c")
		isLike(t, err, runnel.ErrNotFound, `"c"`)
	})
	cached(t, "deleted", tasks, func(t *testing.T, s *cacheSuite) {
		fill(t, s)
		deleted := func(filter api.CacheFilter, want int) {
			t.Helper()
			n, err := s.eng.Cache().Delete(t.Context(), filter)
			do(t, err)
			wants(t, "deleted", n, want)
		}
		deleted(api.CacheFilter{Key: "a/1"}, 1)
		deleted(api.CacheFilter{Key: "a/1"}, 0)
		deleted(api.CacheFilter{Task: "b", Before: time.Now().Add(-time.Hour)}, 2)
		wants(t, "left", s.keys(t, api.CacheFilter{}), []string{"a/0", "a/2", "b/2"})
		wants(t, "runs again", outcome(t, s, s.all[0].(runnel.Task1[int, int]).Send(1)), "2 Completed")
		deleted(api.CacheFilter{}, 4)
		wants(t, "left", s.keys(t, api.CacheFilter{}), nil)
	})
	// The run that made an entry is removed after an hour, the entry when it expires.
	cached(t, "expired", tasks, func(t *testing.T, s *cacheSuite) {
		fill(t, s)
		do(t, pause(t.Context(), 4*time.Hour))
		wants(t, "left", s.keys(t, api.CacheFilter{}), []string{"a/0", "a/1", "a/2", "b/2"})
		n := 0
		for _, err := range s.eng.Runs(t.Context(), api.RunFilter{}) {
			do(t, err)
			n++
		}
		wants(t, "runs", n, 0)
		wants(t, "of a removed run", outcome(t, s, s.all[0].(runnel.Task1[int, int]).Send(1)), "2 Cached")
	})
}

func TestCacheExplains(t *testing.T) {
	tasks := func(s *cacheSuite) []runnel.AnyTask {
		add := runnel.NewTask3("add", func(_ context.Context, x, y, noise int) (int, error) { return x + y, nil },
			runnel.CacheBy(runnel.ByInputs.Without(2), runnel.ByVersion))
		return []runnel.AnyTask{add, s.double("plain"), s.double("short", runnel.CacheKey(constant), runnel.CacheExpiration(time.Minute))}
	}
	cached(t, "explained", tasks, func(t *testing.T, s *cacheSuite) {
		add := s.all[0].(runnel.Task3[int, int, int, int])
		explain := func(p runnel.Pipeline[int]) api.CacheReport {
			t.Helper()
			run, err := s.eng.Submit(t.Context(), p)
			do(t, err)
			_, err = run.Wait(t.Context())
			do(t, err)
			report, err := s.eng.Cache().Explain(t.Context(), run.ID()+"/0")
			do(t, err)
			return report
		}
		first := explain(add.Send(1, 2, 0))
		says(t, first.Why, "its body ran", "left the entry")
		hit := explain(add.Send(1, 2, 99)) // the noise is left out
		says(t, hit.Why, "is that of task run "+hit.From)
		other := explain(add.Send(1, 3, 0))
		says(t, other.Why, "differs in argument 2")
		wants(t, "parts that differ", other.Differs, []api.CacheDiff{{Name: "argument 2", Run: "3", Entry: "2"}})
		wants(t, "nearest", other.Nearest.TaskRun, hit.From)
		says(t, explain(s.all[1].(runnel.Task1[int, int]).Send(1)).Why, `"plain"`, "no cache key")
		short := s.all[2].(runnel.Task1[int, int]).Send(1)
		explain(short)
		says(t, explain(short).Why, "is that of")
		_, err := s.eng.Cache().Explain(t.Context(), "nothing/0")
		matches(t, err, runnel.ErrNotFound)
		_, err = s.eng.Cache().Explain(t.Context(), strings.Split(hit.From, "/")[0]+"/77")
		matches(t, err, runnel.ErrNotFound)
	})
}

// A value that stands in no row is copied: the entry outlives its run, and a run
// outlives the entry.
func TestCacheOfLargeValues(t *testing.T) {
	tasks := func(s *cacheSuite) []runnel.AnyTask {
		return []runnel.AnyTask{runnel.NewTask1("large", func(_ context.Context, n int) (string, error) {
			s.began("large")
			return strings.Repeat("x", n), nil
		}, runnel.CacheKey(constant)), runnel.NewOrchestrator0("makes", func(context.Context) (runnel.Runnable[string], error) {
			s.began("makes")
			return runnel.Ref1[int, string]("large").Send(200_000), nil
		}, runnel.CacheKey(runnel.InputHash))}
	}
	cached(t, "large", tasks, func(t *testing.T, s *cacheSuite) {
		large := s.all[0].(runnel.Task1[int, string])
		_, err := s.eng.Run(t.Context(), large.Send(300_000))
		do(t, err)
		quiet()
		do(t, pause(t.Context(), 3*time.Hour)) // its run is gone
		run, err := s.eng.Submit(t.Context(), runnel.InParallel(runnel.List(large.Send(1), large.Send(2))))
		do(t, err)
		_, err = run.Wait(t.Context())
		do(t, err)
		_, err = s.eng.Cache().Delete(t.Context(), api.CacheFilter{})
		do(t, err)
		got, err := run.Result(t.Context())
		do(t, err)
		wants(t, "sizes", []int{len(got[0]), len(got[1])}, []int{300_000, 300_000})
		s.ran(t, "large", 1)
		makes := s.all[1].(runnel.Task0[string])
		for range 2 {
			v, err := s.eng.Run(t.Context(), makes.Send())
			do(t, err)
			wants(t, "size", len(v), 200_000)
			quiet()
		}
		s.ran(t, "makes", 1)
	})
}

// After a restart who ran runs again and who waited waits again; who waits for an
// answer from outside still has its turn.
func TestCacheAfterRestart(t *testing.T) {
	tasks := func(s *cacheSuite) []runnel.AnyTask {
		return []runnel.AnyTask{s.double("double", runnel.CacheKey(constant)), runnel.NewTask1("asks", func(ctx context.Context, _ int) (int, error) {
			s.began("asks")
			_, err := runnel.Token(ctx)
			if err == nil {
				err = runnel.Pending
			}
			return 0, err
		}, runnel.CacheKey(constant), runnel.Timeout(10*time.Hour))}
	}
	cached(t, "restart", tasks, func(t *testing.T, s *cacheSuite) {
		if !strings.HasPrefix(s.dsn, "sqlite") {
			return
		}
		double, asks := s.all[0].(runnel.Task1[int, int]), s.all[1].(runnel.Task1[int, int])
		restart := func() {
			t.Helper()
			interrupt(t, s.eng)
			s.open(t)
		}
		run, err := s.eng.Submit(t.Context(), runnel.InParallel(runnel.List(double.Send(1), double.Send(2), double.Send(3))))
		do(t, err)
		do(t, pause(t.Context(), time.Minute))
		restart()
		again, err := s.eng.Attach[[]int](t.Context(), run.ID())
		do(t, err)
		got, err := again.Wait(t.Context())
		do(t, err)
		wants(t, "one value", got[0] == got[1] && got[1] == got[2], true)
		s.ran(t, "double", 2) // once in each life

		_, err = s.eng.Cache().Delete(t.Context(), api.CacheFilter{})
		do(t, err)
		_, err = s.eng.Submit(t.Context(), asks.Send(1))
		do(t, err)
		quiet()
		restart()
		waits, err := s.eng.Submit(t.Context(), double.Send(1))
		do(t, err)
		do(t, pause(t.Context(), 2*time.Hour))
		s.ran(t, "double", 2) // the other one still has the turn
		v, err := waits.Wait(t.Context())
		do(t, err) // once the other one has timed out
		wants(t, "value", v, 2)
		s.ran(t, "asks", 1)
	})
}
