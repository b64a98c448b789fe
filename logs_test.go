package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// logged gives the lines that a filter chooses.
func logged(t *testing.T, eng *runnel.Engine, f api.LogFilter) (lines []api.LogLine) {
	t.Helper()
	for line, err := range eng.Logs(t.Context(), f) {
		do(t, err)
		lines = append(lines, line)
	}
	return lines
}

func texts(lines []api.LogLine) string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return strings.Join(all, "|")
}

// chat logs at three levels, a second apart.
var chat = runnel.NewTask1("chat", func(ctx context.Context, name string) (string, error) {
	log := runnel.Logger(ctx)
	for i, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		log.Log(ctx, level, name+strconv.Itoa(i))
		<-time.After(time.Second)
	}
	return name, nil
})

func TestLogsAreChosen(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		begun := time.Now()
		run := s.submit(t, chat.Send("a").ContinueWith(chat.With()).ContinueWith(s.val))
		ends(t, "V:a", run)
		other := s.submit(t, chat.Send("b"))
		ends(t, "b", other)
		all := logged(t, s.eng, api.LogFilter{Run: run.ID()})
		for i, l := range all {
			wants(t, "number", l.Line, int64(i)+1)
			wants(t, "of", l.TaskRun, run.ID()+"/"+strconv.Itoa(i/3))
		}
		for _, c := range []struct {
			what string
			f    api.LogFilter
			want string
		}{
			{"all", api.LogFilter{}, "a0|a1|a2|a0|a1|a2"},
			{"task run", api.LogFilter{TaskRun: run.ID() + "/1"}, "a0|a1|a2"},
			{"another's", api.LogFilter{TaskRun: other.ID() + "/0"}, ""},
			{"level", api.LogFilter{Level: slog.LevelInfo}, "a1|a2|a1|a2"},
			{"above all levels", api.LogFilter{Level: slog.LevelError}, ""},
			{"since", api.LogFilter{Since: begun.Add(2 * time.Second)}, "a2|a0|a1|a2"},
			{"until", api.LogFilter{Until: begun.Add(2 * time.Second)}, "a0|a1"},
			{"contains", api.LogFilter{Contains: "2"}, "a2|a2"},
			{"limit", api.LogFilter{Limit: 2, Level: slog.LevelWarn}, "a2|a2"},
			{"limit in the midst", api.LogFilter{Limit: 2}, "a0|a1"},
			{"from", api.LogFilter{From: 5}, "a1|a2"},
			{"from beyond", api.LogFilter{From: 7}, ""},
			{"page", api.LogFilter{From: 3, Limit: 2}, "a2|a0"},
		} {
			c.f.Run = run.ID()
			wants(t, c.what, texts(logged(t, s.eng, c.f)), c.want)
		}
	}, runnel.Register(chat))
}

// followed follows a run and notes after how long each line came.
func followed(ctx context.Context, eng *runnel.Engine, f api.LogFilter) <-chan []string {
	out := make(chan []string, 1)
	begun := time.Now()
	go func() {
		var seen []string
		for line, err := range eng.FollowLogs(ctx, f) {
			what := fmt.Sprint(line.Line, " ", line.Text)
			if err != nil {
				what = err.Error()
			}
			seen = append(seen, fmt.Sprint(time.Since(begun).Round(time.Second), " ", what))
		}
		out <- append(seen, fmt.Sprint(time.Since(begun).Round(time.Second), " end"))
	}()
	return out
}

func TestLogsAreFollowed(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		run := s.submit(t, chat.Send("a").ContinueWith(s.slow.With(time.Hour)).ContinueWith(chat))
		follow := func(ctx context.Context, f api.LogFilter) <-chan []string {
			f.Run = run.ID()
			return followed(ctx, s.eng, f)
		}
		short, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		all, warnings, two := follow(t.Context(), api.LogFilter{}), follow(t.Context(), api.LogFilter{Level: slog.LevelWarn}), follow(t.Context(), api.LogFilter{Limit: 2})
		brief := follow(short, api.LogFilter{From: 3})
		wants(t, "all", <-all, []string{
			"0s 1 a0", "1s 2 a1", "2s 3 a2", "1h0m3s 4 a0", "1h0m4s 5 a1", "1h0m5s 6 a2", "1h0m6s end",
		})
		wants(t, "warnings", <-warnings, []string{"2s 3 a2", "1h0m5s 6 a2", "1h0m6s end"})
		wants(t, "two", <-two, []string{"0s 1 a0", "1s 2 a1", "1s end"})
		wants(t, "brief", <-brief, []string{"2s 3 a2", "1m30s context deadline exceeded", "1m30s end"})
		ends(t, "a", run)
		wants(t, "when it has ended", <-follow(t.Context(), api.LogFilter{From: 5}), []string{"0s 5 a1", "0s 6 a2", "0s end"})
		var wrong error
		for _, wrong = range s.eng.FollowLogs(t.Context(), api.LogFilter{Run: "x"}) {
		}
		matches(t, wrong, runnel.ErrNotFound)
	}, runnel.Register(chat))
}

// A follower sees each line once, however they come, and is told when the
// engine goes away.
func TestFollowersMissNothing(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		const branches, each = 20, 30
		talk := runnel.NewTask1("talk", func(ctx context.Context, n int) (int, error) {
			for i := range each {
				runnel.Logger(ctx).Info(strconv.Itoa(i))
			}
			return n, nil
		})
		eng := reopen(t, dsnOf(t, s.store), runnel.Register(talk, hold))
		list := make([]int, branches)
		run, err := eng.Submit(t.Context(), runnel.Value(list).ContinueWith(runnel.Each(talk)).ContinueWith(runnel.Each(talk)))
		do(t, err)
		n := int64(0)
		for line, err := range eng.FollowLogs(t.Context(), api.LogFilter{Run: run.ID()}) {
			do(t, err)
			n++
			wants(t, "number", line.Line, n)
		}
		wants(t, "lines", n, int64(2*branches*each))
		ends(t, list, run)

		stuck, err := eng.Submit(t.Context(), hold.Send())
		do(t, err)
		var last error
		for line, err := range eng.FollowLogs(t.Context(), api.LogFilter{Run: stuck.ID()}) {
			last = err
			if err == nil {
				wants(t, "text", line.Text, "holding")
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_ = eng.Close(ctx) // the body was not waited for
			}
		}
		matches(t, last, runnel.ErrClosed)
	})
}

// hold says that it runs, and waits to be cancelled.
var hold = runnel.NewTask0("hold", func(ctx context.Context) (int, error) {
	runnel.Logger(ctx).Info("holding")
	<-ctx.Done()
	return 0, context.Cause(ctx)
})

func TestPrintedLines(t *testing.T) {
	var writers sync.Map // by run
	printing := runnel.NewTask0("printing", func(ctx context.Context) (int, error) {
		w := runnel.LogWriter(ctx)
		writers.Store(runnel.TaskRun(ctx).Run, w)
		if _, err := fmt.Fprint(w, "one\r\ntw"); err != nil {
			return 0, err
		}
		runnel.Logger(ctx).Info("between")
		_, err := fmt.Fprint(runnel.LogWriter(ctx), "o\n\nthree")
		return 0, err
	})
	inBubbles(t, func(t *testing.T, s *suite) {
		run := s.submit(t, printing.Send())
		ends(t, 0, run)
		lines := logged(t, s.eng, api.LogFilter{Run: run.ID()})
		wants(t, "lines", texts(lines), "one|between|two||three")
		for _, l := range lines {
			wants(t, "level and task", l.Level+l.Task+l.TaskRun, "INFOprinting"+run.ID()+"/0")
		}
		w, _ := writers.Load(run.ID())
		_, err := fmt.Fprintln(w.(io.Writer), "too late")
		matches(t, err, runnel.ErrClosed)
	}, runnel.Register(printing))
}

func TestLogBounds(t *testing.T) {
	const over = 123
	long := strings.Repeat("é", api.MaxLogText)
	verbose := runnel.NewTask0("verbose", func(ctx context.Context) (int, error) {
		if runnel.TaskRun(ctx).Attempt == 2 {
			runnel.Logger(ctx).Info(long)
			_, err := fmt.Fprintln(runnel.LogWriter(ctx), long+long+"\nshort\nnot \xff UTF-8")
			return 0, err
		}
		for range api.MaxLogLines + over {
			runnel.Logger(ctx).Info("line")
		}
		return 0, errors.New("m")
	}, runnel.Retries(1))
	inBubbles(t, func(t *testing.T, s *suite) {
		run := s.submit(t, verbose.Send())
		ends(t, 0, run)
		lines := logged(t, s.eng, api.LogFilter{Run: run.ID()})
		if len(lines) != api.MaxLogLines+5 {
			t.Fatalf("%d lines", len(lines))
		}
		dropped, rest := lines[api.MaxLogLines], lines[api.MaxLogLines+1:]
		wants(t, "last of the first attempt", dropped.Level+" "+dropped.Text, "WARN dropped 123 lines")
		wants(t, "attempts", []int{lines[0].Attempt, dropped.Attempt, rest[0].Attempt}, []int{1, 1, 2})
		for _, l := range rest[:2] {
			if n := len(l.Text); n > api.MaxLogText || n < api.MaxLogText-4 || !strings.HasSuffix(l.Text, "é…") {
				t.Errorf("a long line has %d bytes and ends %q", n, l.Text[n-10:])
			}
		}
		wants(t, "what follows", texts(rest[2:]), "short|not \uFFFD UTF-8")
	}, runnel.Register(verbose))
}

// Case 175: lines are kept with their run and task run, those of another logger
// are not, and a failure has its traceback.
func TestConform175(t *testing.T) {
	broken := runnel.NewTask0("broken", func(ctx context.Context) (int, error) {
		runnel.Logger(ctx).Warn("to be kept", "n", 1)
		slog.New(slog.DiscardHandler).Warn("not to be kept")
		panic("a reason")
	})
	inBubbles(t, func(t *testing.T, s *suite) {
		run := s.submit(t, broken.Send())
		f := endsBadly(t, run)
		says(t, f.Stack, "TestConform175")
		lines := logged(t, s.eng, api.LogFilter{Run: run.ID()})
		wants(t, "lines", len(lines), 1)
		wants(t, "line", lines[0], api.LogLine{
			Line: 1, TaskRun: run.ID() + "/0", Task: "broken", Attempt: 1, Time: lines[0].Time, Level: "WARN", Text: "to be kept n=1",
		})
	}, runnel.Register(broken))
}

// Numbers go on after the engine was opened again, and after a retry.
func TestLogNumbersGoOn(t *testing.T) {
	dsn := dsnOf(t, "sqlite")
	failing := runnel.NewTask0("failing", func(ctx context.Context) (int, error) {
		runnel.Logger(ctx).Info("trying")
		return 0, errors.New("m")
	})
	synctest.Test(t, func(t *testing.T) {
		var id string
		for round := range int64(3) {
			eng := reopen(t, dsn, runnel.Register(failing))
			if round == 0 {
				run, err := eng.Submit(t.Context(), failing.Send())
				do(t, err)
				id = run.ID()
			} else {
				do(t, eng.Retry(t.Context(), id))
			}
			run, err := eng.Attach[int](t.Context(), id)
			do(t, err)
			endsBadly(t, run)
			lines := logged(t, eng, api.LogFilter{Run: id})
			wants(t, "lines", int64(len(lines)), round+1)
			wants(t, "last number", lines[round].Line, round+1)
			shut(t, eng)
		}
	})
}

// What a body logs is kept with the ids of its task run and of its flow's run, what
// goes to another logger is not, and a panic's stack is kept with the failure.
func TestConformanceLogs(t *testing.T) {
	t.Run("task-case-175", func(t *testing.T) {
		hearing(t, stores, func(t *testing.T, h *heard) {
			task := runnel.NewTask0("t", func(ctx context.Context) (int, error) {
				runnel.Logger(ctx).InfoContext(ctx, "kept")
				slog.New(slog.DiscardHandler).InfoContext(ctx, "not kept")
				panic("at the disco")
			})
			flow := runnel.NewFlow0("flow", func(f runnel.Flow) (string, error) {
				future := task.Submit(f)
				return future.ID(), runnel.WaitAll(f, future)
			})
			h.open(t, task, flow)
			run, err := h.eng.Submit(t.Context(), flow.Send())
			do(t, err)
			id, err := run.Wait(t.Context())
			do(t, err)
			lines := logged(t, h.eng, api.LogFilter{Run: run.ID()})
			if len(lines) != 1 || lines[0].Text != "kept" || lines[0].TaskRun != id {
				t.Errorf("lines %+v", lines)
			}
			for _, row := range h.rows(t, run.ID()) {
				if row.ID == id && !strings.Contains(row.Failure.Stack, "logs_test.go") {
					t.Errorf("failure %+v", row.Failure)
				}
			}
		})
	})
}
