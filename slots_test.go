package runnel_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// slotSuite is an engine with bodies that take slots, as a script says: words that
// are steps. "db" takes a slot of db, "db*2" two of them, "db+net" one of both,
// "~db" uses up one, "-" gives back what was taken last, "5m" passes time, ignoring
// that the context has ended if it is "5m!", "panic" panics. A "!" at the end of a
// name is Strict.
type slotSuite struct {
	*suite
	task runnel.Task1[string, string]

	slotMu sync.Mutex
	using  map[string]int // slots that bodies have, by limit
	most   map[string]int
	did    []happening
}

func slotted(t *testing.T, name string, test func(t *testing.T, s *slotSuite)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		dsn := dsnOf(t, "sqlite")
		synctest.Test(t, func(t *testing.T) {
			s := &slotSuite{suite: &suite{fixtures: newFixtures(), store: "sqlite", dsn: dsn}, using: map[string]int{}, most: map[string]int{}}
			s.task = runnel.NewTask1("slots", s.body)
			s.everything = append(s.everything, s.task, runnel.NewFlow1("slots_flow", func(f runnel.Flow, script string) (string, error) {
				return s.body(f, script)
			}))
			s.eng = s.open(t)
			test(t, s)
		})
	})
}

type happening struct {
	at   time.Time
	what string
}

// note keeps what has happened.
func (s *slotSuite) note(format string, args ...any) {
	s.slotMu.Lock()
	defer s.slotMu.Unlock()
	s.did = append(s.did, happening{time.Now(), fmt.Sprintf(format, args...)})
}

// happened gives it and forgets it; what happened at the same time is sorted.
func (s *slotSuite) happened() string {
	synctest.Wait()
	s.slotMu.Lock()
	defer s.slotMu.Unlock()
	slices.SortFunc(s.did, func(a, b happening) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.what, b.what)) })
	var texts []string
	for _, h := range s.did {
		texts = append(texts, h.what)
	}
	s.did = nil
	return strings.Join(texts, "; ")
}

func (s *slotSuite) use(names []string, n int) {
	s.slotMu.Lock()
	defer s.slotMu.Unlock()
	for _, name := range names {
		s.using[name] += n
		s.most[name] = max(s.most[name], s.using[name])
	}
}

// body does what a script says: its first word is its name.
func (s *slotSuite) body(ctx context.Context, script string) (string, error) {
	words := strings.Fields(script)
	who := words[0]
	var releases []func()
	for _, word := range words[1:] {
		switch {
		case word == "panic":
			panic("as the script says")
		case word == "-":
			last := len(releases) - 1
			releases[last]()
			releases[last]() // nothing happens
			releases = releases[:last]
			s.note("%s -", who)
		case word[0] >= '0' && word[0] <= '9':
			if err := pass(ctx, word); err != nil {
				return "", err
			}
		default:
			release, err := s.take(ctx, word)
			if err != nil {
				s.note("%s failed %s", who, word)
				return "", err
			}
			s.note("%s has %s", who, word)
			if release != nil {
				releases = append(releases, release)
			}
		}
	}
	s.note("%s ends", who)
	return who, nil
}

func pass(ctx context.Context, word string) error {
	d, err := time.ParseDuration(strings.TrimSuffix(word, "!"))
	if err != nil {
		return err
	}
	if strings.HasSuffix(word, "!") {
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *slotSuite) take(ctx context.Context, word string) (release func(), err error) {
	var opts []runnel.AcquireOption
	names, strict := strings.CutSuffix(word, "!")
	if strict {
		opts = append(opts, runnel.Strict())
	}
	n := 1
	if before, count, found := strings.Cut(names, "*"); found {
		if _, err := fmt.Sscan(count, &n); err != nil {
			return nil, err
		}
		names, opts = before, append(opts, runnel.Occupy(n))
	}
	if name, rate := strings.CutPrefix(names, "~"); rate {
		return nil, runnel.RateLimit(ctx, strings.Split(name, "+"), opts...)
	}
	list := strings.Split(names, "+")
	free, err := runnel.Acquire(ctx, list, opts...)
	if err != nil {
		return nil, err
	}
	s.use(list, n)
	return sync.OnceFunc(func() { // what is free is another's at once
		s.use(list, -n)
		free()
	}), nil
}

func (s *slotSuite) limit(t *testing.T, name string, n int, decay float64) {
	t.Helper()
	do(t, s.eng.GlobalLimits().Create(t.Context(), api.GlobalLimit{Name: name, Limit: n, Decay: decay}))
}

// bodies submits scripts, one after the other.
func (s *slotSuite) bodies(t *testing.T, scripts ...string) (runs []*runnel.Run[string]) {
	t.Helper()
	for _, script := range scripts {
		runs = append(runs, s.submit(t, s.task.Send(script)))
		quiet()
	}
	return runs
}

// shows checks how many slots are active and how many wait.
func (s *slotSuite) shows(t *testing.T, name string, active, waiting int) api.GlobalLimit {
	t.Helper()
	synctest.Wait()
	l, err := s.eng.GlobalLimits().Read(t.Context(), name)
	do(t, err)
	if l.ActiveSlots != active || l.Waiting != waiting || len(l.Waiters) != min(waiting, 100) {
		t.Errorf("limit %s has %d slots active (%v), %d waiting (%v); want %d and %d", name, l.ActiveSlots, l.Holders, l.Waiting, l.Waiters, active, waiting)
	}
	return l
}

func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestAcquire(t *testing.T) {
	slotted(t, "in the order of asking", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 3, 0)
		s.bodies(t, "1 db*2 10m", "2 db*3 10m", "3 db 10m", "4 db 10m") // 3 does not pass 2, though one is free
		wants(t, "happened", s.happened(), "1 has db*2")
		s.shows(t, "db", 2, 3)
		after(11 * time.Minute)
		wants(t, "happened", s.happened(), "1 ends; 2 has db*3")
		after(10 * time.Minute)
		wants(t, "happened", s.happened(), "2 ends; 3 has db; 4 has db")
		s.shows(t, "db", 2, 0)
		after(10 * time.Minute)
		s.shows(t, "db", 0, 0)
	})
	slotted(t, "given back early, and at once the next one's", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		runs := s.bodies(t, "1 db 1m - 10m", "2 db 1m")
		after(time.Minute)
		wants(t, "happened", s.happened(), "1 has db; 1 -; 2 has db")
		holders := s.shows(t, "db", 1, 0).Holders
		if len(holders) != 1 || holders[0].TaskRun != runs[1].ID()+"/0" || holders[0].Slots != 1 || time.Since(holders[0].Since) > time.Second {
			t.Errorf("holders are %+v", holders)
		}
	})
	slotted(t, "several, all or none", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		s.limit(t, "net", 1, 0)
		s.bodies(t, "1 db 1m", "2 db+net 1m", "3 net 1m")
		wants(t, "happened", s.happened(), "1 has db") // 3 does not pass 2
		s.shows(t, "net", 0, 2)
		after(time.Minute)
		wants(t, "happened", s.happened(), "1 ends; 2 has db+net")
		after(time.Minute)
		wants(t, "happened", s.happened(), "2 ends; 3 has net")
	})
	slotted(t, "task-case-170", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		s.limit(t, "net", 1, 0)
		s.bodies(t, "1 db+net 1m", "2 net+db 1m")
		for name, other := range map[string]string{"db": "net", "net": "db"} {
			l := s.shows(t, name, 1, 1)
			wants(t, "with", l.Holders[0].With, []string{other})
			wants(t, "with", l.Waiters[0].With, []string{other})
		}
	})
	slotted(t, "the end of a body gives back", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 2, 0)
		for _, script := range []string{"1 db*2", "1 db panic", "1 db db db", "1 db+db", "1 db*2 gone!"} {
			s.bodies(t, script)
			s.shows(t, "db", 0, 0)
		}
		run := s.bodies(t, "1 db*2 1h")[0]
		s.bodies(t, "2 db 1h")
		s.shows(t, "db", 2, 1)
		do(t, run.Cancel(t.Context()))
		s.shows(t, "db", 1, 0)
	})
	slotted(t, "who waits and is cancelled leaves the line", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		s.bodies(t, "1 db 1h")
		run := s.bodies(t, "2 db 1h", "3 db 1h")[0]
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
		s.shows(t, "db", 1, 1)
		after(time.Hour)
		wants(t, "happened", s.happened(), "1 has db; 2 failed db; 1 ends; 3 has db")
	})
	slotted(t, "an attempt that is retried", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		run := s.submit(t, s.task.Send("1 db panic").Set(runnel.Retries(2), runnel.RetryDelay(time.Hour)))
		s.shows(t, "db", 0, 0) // none while it waits for its next attempt
		endsBadly(t, run)
		wants(t, "happened", s.happened(), "1 has db; 1 has db; 1 has db")
		s.shows(t, "db", 0, 0)
	})
	slotted(t, "flows", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		flow := runnel.Ref1[string, string]("slots_flow")
		s.submit(t, flow.Send("1 db 1m"))
		quiet()
		s.submit(t, flow.Send("2 db 1m"))
		s.shows(t, "db", 1, 1)
		after(2 * time.Minute)
		wants(t, "happened", s.happened(), "1 has db; 1 ends; 2 has db; 2 ends")
	})
	t.Run("outside of a task", func(t *testing.T) {
		_, err := runnel.Acquire(t.Context(), "db")
		isLike(t, err, runnel.ErrInvalid, "")
		release, err := runnel.Acquire(t.Context(), []string{})
		do(t, err) // nothing is asked for
		release()
	})
}

func TestAcquireTimes(t *testing.T) {
	slotted(t, "task-case-89", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		run := s.submit(t, s.task.Send("1 db 1h").Set(runnel.Timeout(time.Minute)))
		s.shows(t, "db", 1, 0)
		isLike(t, endsBadly(t, run), runnel.ErrTimeout, "")
		s.shows(t, "db", 0, 0)
		// A body that ignores its context has them until the engine gives it up, and
		// gives nothing of another's back when it ends after all.
		run = s.submit(t, s.task.Send("2 db 1h! -").Set(runnel.Timeout(time.Minute)))
		quiet()
		s.bodies(t, "3 db 2h")
		after(time.Minute)
		s.shows(t, "db", 1, 1)
		isLike(t, endsBadly(t, run), runnel.ErrTimeout, "")
		s.shows(t, "db", 1, 0)
		after(time.Hour)
		wants(t, "happened", s.happened(), "1 has db; 2 has db; 3 has db; 2 -; 2 ends")
		s.shows(t, "db", 1, 0)
		// Nor does it get any.
		run = s.submit(t, s.task.Send("4 1h! db").Set(runnel.Timeout(time.Minute)))
		isLike(t, endsBadly(t, run), runnel.ErrTimeout, "")
		after(2 * time.Hour)
		wants(t, "happened", s.happened(), "3 ends; 4 failed db")
		s.shows(t, "db", 0, 0)
	})
	slotted(t, "task-case-167", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 2, 0)
		s.bodies(t, "1 db 1h")
		ran := false
		bounded := runnel.NewTask0("bounded", func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
			defer cancel()
			release, err := runnel.Acquire(ctx, "db", runnel.Occupy(2))
			if err != nil {
				return "", err
			}
			defer release()
			ran = true
			return "", nil
		})
		eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(bounded))
		do(t, err)
		defer shut(t, eng)
		do(t, eng.GlobalLimits().Create(t.Context(), api.GlobalLimit{Name: "db", Limit: 2}))
		release, err := eng.Acquire(t.Context(), "db")
		do(t, err)
		_, err = eng.Run(t.Context(), bounded.Send())
		isLike(t, err, runnel.ErrTimeout, `waited 1m30s for 2 slots of "db"`)
		l, err := eng.GlobalLimits().Read(t.Context(), "db")
		do(t, err)
		if ran || l.ActiveSlots != 1 || l.Waiting != 0 {
			t.Errorf("ran: %t, limit is %+v", ran, l)
		}
		release()
		_, err = eng.Run(t.Context(), bounded.Send())
		do(t, err)
		wants(t, "ran", ran, true)
	})
	slotted(t, "a context that outlives the body", func(t *testing.T, s *slotSuite) {
		detached := runnel.NewTask0("detached", func(ctx context.Context) (string, error) {
			_, err := runnel.Acquire(context.WithoutCancel(ctx), "db")
			return "", err
		}, runnel.Timeout(time.Minute))
		eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(detached))
		do(t, err)
		defer shut(t, eng)
		do(t, eng.GlobalLimits().Create(t.Context(), api.GlobalLimit{Name: "db", Limit: 1}))
		release, err := eng.Acquire(t.Context(), "db")
		do(t, err)
		defer release()
		_, err = eng.Run(t.Context(), detached.Send())
		isLike(t, err, runnel.ErrTimeout, "")
	})
}

func TestAcquireRefuses(t *testing.T) {
	slotted(t, "task-case-161", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 3, 0)
		s.limit(t, "net", 10, 0)
		says(t, endsBadly(t, s.bodies(t, "1 db*0")[0]).Message, "0 slots", `"db"`, "1 or more")
		failure := endsBadly(t, s.bodies(t, "1 net+db*4")[0])
		isLike(t, failure, runnel.ErrInvalid, "")
		says(t, failure.Message, `"db" is 3`, "4 slots")
		s.shows(t, "net", 0, 0)
		s.shows(t, "db", 0, 0)
		ends(t, "1", s.bodies(t, "1 unknown*100")[0])
		_, err := s.eng.GlobalLimits().Read(t.Context(), "unknown")
		isLike(t, err, runnel.ErrNotFound, "unknown") // use does not make it
	})
	slotted(t, "task-case-168", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		failure := endsBadly(t, s.bodies(t, "1 db+unknown!")[0])
		isLike(t, failure, runnel.ErrNotFound, "")
		says(t, failure.Message, `"unknown"`)
		s.shows(t, "db", 0, 0)
		run := s.bodies(t, "1 db+unknown - unknown 1m")[0]
		s.shows(t, "db", 0, 0)
		ends(t, "1", run)
		var warned []string
		for line, err := range s.eng.Logs(t.Context(), api.LogFilter{Run: run.ID()}) {
			do(t, err)
			warned = append(warned, line.Level+" "+line.Text)
		}
		if len(warned) != 1 {
			t.Errorf("log is %q, want one line", warned)
		}
		says(t, warned[0], "WARN", `"unknown"`, "not limited")
	})
	slotted(t, "to wait for ever", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 3, 0)
		s.limit(t, "net", 1, 0)
		isLike(t, endsBadly(t, s.bodies(t, "1 db*2 db*2")[0]), runnel.ErrConflict, "")
		runs := s.bodies(t, "1 net 1m db*3 1m", "2 db 2m net 1m")
		after(2 * time.Minute)
		isLike(t, endsBadly(t, runs[1]), runnel.ErrConflict, "")
		ends(t, "1", runs[0])
	})
	slotted(t, "limits without sense", func(t *testing.T, s *slotSuite) {
		for _, l := range []api.GlobalLimit{
			{Limit: 1},
			{Name: "a", Limit: -1},
			{Name: "a", Limit: 1, Decay: -1},
			{Name: "a", Limit: 1, Decay: 2e6},
			{Name: "a", Limit: 1000, Decay: 1e-6},
		} {
			isLike(t, s.eng.GlobalLimits().Create(t.Context(), l), runnel.ErrInvalid, "global limit")
		}
		for l := range s.eng.GlobalLimits().List(t.Context()) {
			t.Errorf("made %+v", l)
		}
		limits := s.eng.GlobalLimits()
		isLike(t, limits.Delete(t.Context(), "a"), runnel.ErrNotFound, `"a"`)
		isLike(t, limits.Reset(t.Context(), "a"), runnel.ErrNotFound, `"a"`)
		isLike(t, limits.SetActive(t.Context(), "a", true), runnel.ErrNotFound, `"a"`)
		_, err := s.eng.Acquire(t.Context(), "")
		isLike(t, err, runnel.ErrInvalid, "name")
	})
}

func TestRateLimit(t *testing.T) {
	slotted(t, "comes back", func(t *testing.T, s *slotSuite) {
		s.limit(t, "api", 2, 0.5)
		began := time.Now()
		ends(t, "1", s.bodies(t, "1 ~api ~api ~api ~api*2")[0])
		wants(t, "took", time.Since(began), 6*time.Second)
		s.shows(t, "api", 2, 0) // though the body has ended
		after(4 * time.Second)
		s.shows(t, "api", 0, 0)
	})
	slotted(t, "task-case-163", func(t *testing.T, s *slotSuite) {
		s.limit(t, "api", 10, 0.1)
		ends(t, "0", s.bodies(t, "0 ~api*10")[0])
		for range 11 {
			s.bodies(t, "w ~api")
		}
		s.shows(t, "api", 10, 11)
		after(109 * time.Second)
		s.shows(t, "api", 10, 1)
		after(2 * time.Second) // (1 + 10) / 0.1 seconds
		s.shows(t, "api", 10, 0)
		// Of held slots nobody guesses when they are free: whoever is next is told.
		s.limit(t, "db", 10, 0)
		s.bodies(t, "h db*10 3h")
		s.happened()
		s.bodies(t, "w db*10 1s")
		after(3 * time.Hour)
		wants(t, "happened", s.happened(), "h ends; w has db*10")
	})
	slotted(t, "task-case-165", func(t *testing.T, s *slotSuite) {
		s.limit(t, "api", 10, 0.1)
		ends(t, "1", s.bodies(t, "1 ~api*10")[0])
		after(30*time.Second + 500*time.Millisecond)
		s.shows(t, "api", 7, 0)
		s.limit(t, "api", 12, 0.1) // a change begins nothing anew
		s.shows(t, "api", 7, 0)
		after(10 * time.Second)
		s.shows(t, "api", 6, 0)
	})
	slotted(t, "without a decay", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 10, 0)
		s.limit(t, "api", 10, 1)
		failure := endsBadly(t, s.bodies(t, "1 ~api+db")[0])
		isLike(t, failure, runnel.ErrInvalid, "")
		says(t, failure.Message, `"db" has no decay`)
		s.shows(t, "api", 0, 0)
	})
	slotted(t, "cancelled while it waits", func(t *testing.T, s *slotSuite) {
		s.limit(t, "api", 1, 0.1)
		run := s.bodies(t, "1 ~api", "2 ~api", "3 ~api")[1]
		do(t, run.Cancel(t.Context()))
		after(11 * time.Second)
		wants(t, "happened", s.happened(), "1 ends; 1 has ~api; 2 failed ~api; 3 ends; 3 has ~api")
	})
}

func TestGlobalLimitChanges(t *testing.T) {
	slotted(t, "raised, lowered, deleted", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		runs := s.bodies(t, "1 db 1h", "2 db 1h", "3 db 1h", "4 db*2 1h")
		wants(t, "happened", s.happened(), "1 has db; 4 failed db*2")
		isLike(t, endsBadly(t, runs[3]), runnel.ErrInvalid, "")
		s.limit(t, "db", 2, 0)
		wants(t, "happened", s.happened(), "2 has db")
		s.bodies(t, "5 db*2 1h")
		s.limit(t, "db", 1, 0)
		wants(t, "happened", s.happened(), "5 failed db*2") // it would wait for ever
		s.shows(t, "db", 2, 1)
		do(t, s.eng.GlobalLimits().Delete(t.Context(), "db"))
		wants(t, "happened", s.happened(), "3 has db")
	})
	slotted(t, "switched off and on", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		s.bodies(t, "1 db 2h", "2 db 1h")
		do(t, s.eng.GlobalLimits().SetActive(t.Context(), "db", false))
		s.bodies(t, "3 db*100 90m")
		wants(t, "happened", s.happened(), "1 has db; 2 has db; 3 has db*100")
		if l := s.shows(t, "db", 1, 0); !l.Inactive {
			t.Error("it is shown as active")
		}
		do(t, s.eng.GlobalLimits().SetActive(t.Context(), "db", true))
		s.bodies(t, "4 db 1h")
		s.shows(t, "db", 1, 1)
		after(time.Hour)
		wants(t, "happened", s.happened(), "2 ends")
		after(time.Hour)
		wants(t, "happened", s.happened(), "3 ends; 1 ends; 4 has db")
	})
	slotted(t, "reset", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0.001)
		s.bodies(t, "1 db 1h", "2 db 1h", "3 ~db")
		do(t, s.eng.GlobalLimits().Reset(t.Context(), "db"))
		wants(t, "happened", s.happened(), "1 has db; 2 has db")
		after(time.Hour) // what 1 gives back is not counted
		wants(t, "happened", s.happened(), "1 ends; 2 ends; 3 ends; 3 has ~db")
		s.shows(t, "db", 1, 0)
		do(t, s.eng.GlobalLimits().Reset(t.Context(), "db"))
		s.shows(t, "db", 0, 0)
	})
	slotted(t, "listed by name", func(t *testing.T, s *slotSuite) {
		for _, name := range []string{"b", "c", "a"} {
			s.limit(t, name, 1, 0)
		}
		var names []string
		for l, err := range s.eng.GlobalLimits().List(t.Context()) {
			do(t, err)
			names = append(names, l.Name)
		}
		wants(t, "names", names, []string{"a", "b", "c"})
		first, err := s.eng.GlobalLimits().Read(t.Context(), "a")
		do(t, err)
		after(time.Minute)
		s.limit(t, "a", 2, 0)
		second := s.shows(t, "a", 0, 0)
		if second.Limit != 2 || !second.Created.Equal(first.Created) || !second.Updated.After(first.Updated) {
			t.Errorf("got %+v, then %+v", first, second)
		}
	})
}

func TestGlobalLimitsAfterRestart(t *testing.T) {
	restart := func(t *testing.T, s *slotSuite) {
		t.Helper()
		interrupt(t, s.eng)
		s.eng = s.open(t)
	}
	slotted(t, "nobody holds slots, and bodies take theirs again", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		s.limit(t, "gone", 1, 0)
		do(t, s.eng.GlobalLimits().Delete(t.Context(), "gone"))
		runs := s.bodies(t, "1 db 1h", "2 db 1h")
		s.happened()
		restart(t, s)
		s.shows(t, "db", 1, 1)
		after(3 * time.Hour)
		s.shows(t, "db", 0, 0)
		for _, run := range runs {
			again, err := s.eng.Attach[string](t.Context(), run.ID())
			do(t, err)
			is(t, api.Completed, again)
		}
		_, err := s.eng.GlobalLimits().Read(t.Context(), "gone")
		isLike(t, err, runnel.ErrNotFound, "gone")
	})
	slotted(t, "a flow that waits is interrupted, and comes back", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 1, 0)
		s.bodies(t, "1 db 10m")
		run := s.submit(t, runnel.Ref1[string, string]("slots_flow").Send("2 db"))
		quiet()
		s.happened()
		restart(t, s)
		after(time.Hour)
		again, err := s.eng.Attach[string](t.Context(), run.ID())
		do(t, err)
		ends(t, "2", again)
	})
	slotted(t, "what was used up stays so", func(t *testing.T, s *slotSuite) {
		s.limit(t, "api", 10, 0.1)
		ends(t, "1", s.bodies(t, "1 ~api*10")[0])
		restart(t, s) // written when it closes
		after(30*time.Second + 500*time.Millisecond)
		s.shows(t, "api", 7, 0)
		ends(t, "1", s.bodies(t, "1 ~api*3")[0])
		after(2 * time.Second) // written by now
		restart(t, s)
		s.shows(t, "api", 10, 0)
	})
}

func TestAcquireOutside(t *testing.T) {
	slotted(t, "holds until release", func(t *testing.T, s *slotSuite) {
		s.limit(t, "db", 2, 0)
		release, err := s.eng.Acquire(t.Context(), []string{"db"}, runnel.Occupy(2))
		do(t, err)
		s.bodies(t, "1 db 1h")
		l := s.shows(t, "db", 2, 1)
		if len(l.Holders) != 1 || l.Holders[0].TaskRun != "" {
			t.Errorf("holders are %+v", l.Holders)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.eng.Acquire(ctx, "db")
		isLike(t, err, runnel.ErrTimeout, `1s for 1 slot of "db"`)
		release()
		release()
		wants(t, "happened", s.happened(), "1 has db")
		s.shows(t, "db", 1, 0)
	})
	slotted(t, "rates, and the end of the engine", func(t *testing.T, s *slotSuite) {
		s.limit(t, "api", 1, 0.01)
		do(t, s.eng.RateLimit(t.Context(), "api"))
		told := make(chan error, 1)
		go func() { told <- s.eng.RateLimit(context.WithoutCancel(t.Context()), "api") }()
		s.shows(t, "api", 1, 1)
		do(t, s.eng.Close(t.Context()))
		matches(t, <-told, runnel.ErrClosed)
		_, err := s.eng.Acquire(t.Context(), "api")
		matches(t, err, runnel.ErrClosed)
	})
}

// A thousand bodies that want some of ten slots, and somebody who counts.
func TestGlobalLimitHolds(t *testing.T) {
	s := &slotSuite{suite: &suite{fixtures: newFixtures(), store: "memory", dsn: "memory:"}, using: map[string]int{}, most: map[string]int{}}
	s.task = runnel.NewTask1("slots", s.body)
	s.everything = append(s.everything, s.task)
	s.eng = s.open(t)
	s.limit(t, "db", 10, 0)
	s.limit(t, "net", 7, 0)
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			script := []string{"x db 1ms -", "x db*3 1ms -", "x db+net*2 1ms -", "x net 1ms - db*7 -", "x net*4 -"}[i%5]
			if _, err := s.eng.Run(t.Context(), s.task.Send(script)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for name, n := range map[string]int{"db": 10, "net": 7} {
		if most := s.most[name]; most > n || most < 2 {
			t.Errorf("%d slots of %s at a time, want %d at most", most, name, n)
		}
		l, err := s.eng.GlobalLimits().Read(t.Context(), name)
		do(t, err)
		wants(t, "left of "+name, l.ActiveSlots+l.Waiting, 0)
	}
}
