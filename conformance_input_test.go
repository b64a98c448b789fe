package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// Input that can't work: each a typed error.

func TestBadInputIsRefused(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		hi := s.hi.Send("J", "D")
		for _, tt := range []struct {
			name string
			p    runnel.Runnable[string]
			like error
			says []string
		}{
			{"unknown task", runnel.Ref0[string]("nobody").Send(), runnel.ErrUnknownTask, []string{"steps[0]", `"nobody"`, "not registered"}},
			{"limit", runnel.InParallel(runnel.List(hi), runnel.MaxParallelism(-1)).ContinueWith(s.join), runnel.ErrInvalid, []string{"MaxParallelism(-1)"}},
			{"stages", runnel.InParallel(runnel.List(hi), runnel.NumStages(0)).ContinueWith(s.join), runnel.ErrInvalid, []string{"NumStages(0)"}},
			{"stages below", runnel.Value([]string{}).ContinueWith(runnel.Each(s.val, runnel.NumStages(-3))).ContinueWith(s.join), runnel.ErrInvalid, []string{"NumStages(-3)"}},
			{"retries", hi.Set(runnel.Retries(-1)), runnel.ErrInvalid, []string{"Retries(-1)"}},
			{"retries of a copy", s.hi.WithOptions(runnel.Retries(-1)).Send("J", "D"), runnel.ErrInvalid, []string{`"hi"`, "Retries(-1)"}},
			{"delay", hi.Set(runnel.RetryDelay(-time.Second)), runnel.ErrInvalid, []string{"RetryDelay(-1s)"}},
			{"jitter", hi.Set(runnel.RetryJitter(-1)), runnel.ErrInvalid, []string{"RetryJitter(-1)"}},
			{"time-out", hi.Set(runnel.Timeout(-time.Second)), runnel.ErrInvalid, []string{"Timeout(-1s)"}},
			{"Set on a group", runnel.InParallel(runnel.List(hi)).Set(runnel.Retries(1)).ContinueWith(s.join), runnel.ErrInvalid, []string{"must be a task"}},
			{"fail fast and settle", runnel.Settle(runnel.List(hi), runnel.FailFast()).ContinueWith(show[[]runnel.Outcome[string]]()), runnel.ErrInvalid, []string{"Settle"}},
			{"argument", runnel.Ref1[any, string]("show").Send(make(chan int)), runnel.ErrEncoding, []string{`"show"`, "argument 1"}},
			{"zero pipeline", runnel.Pipeline[string]{}, runnel.ErrInvalid, []string{"no steps"}},
			{"zero step", hi.ContinueWith(runnel.Step[string, string]{}), runnel.ErrInvalid, []string{"no steps"}},
			{"zero task", hi.ContinueWith(runnel.Task1[string, string]{}), runnel.ErrInvalid, []string{"not made by"}},
			{"zero branch", runnel.InParallel(runnel.List(hi, runnel.Pipeline[string]{})).ContinueWith(s.join), runnel.ErrInvalid, []string{"branch 1", "no steps"}},
			{"nil step", hi.ContinueWith[string](nil), runnel.ErrInvalid, []string{"nil"}},
			{"nil", nil, runnel.ErrInvalid, []string{"nil"}},
		} {
			_, err := s.run(t, tt.p)
			if !errors.Is(err, tt.like) {
				t.Errorf("%s: error %v, want one like %v", tt.name, err, tt.like)
				continue
			}
			says(t, err.Error(), tt.says...)
			if tt.p != nil && !errors.Is(tt.like, runnel.ErrUnknownTask) {
				matches(t, tt.p.Err(), tt.like)
			}
		}
		for range s.eng.Runs(t.Context(), api.RunFilter{}) {
			t.Error("something was submitted")
		}
	})
}

func TestBadJSONIsRefused(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		for _, tt := range []struct {
			form string
			like error
			says []string
		}{
			{`{"runnel":2,"steps":[{"value":1}]}`, runnel.ErrInvalid, []string{"version", "2"}},
			{`{"runnel":0,"steps":[{"value":1}]}`, runnel.ErrInvalid, []string{"version", "0"}},
			{`{"steps":[{"value":1}]}`, runnel.ErrInvalid, []string{"version"}},
			{`{"runnel":1,"steps":[{"value":1}],"extra":1}`, runnel.ErrInvalid, []string{`"extra"`}},
			{`{"runnel":1,"steps":[{"value":1,"extra":1}]}`, runnel.ErrInvalid, []string{"steps[0]", `"extra"`}},
			{`{"runnel":1,"steps":[{"task":"hi","options":{"retry":{"maxx":1}}}]}`, runnel.ErrInvalid, []string{"steps[0]", `"maxx"`}},
			{`{"runnel":1}`, runnel.ErrInvalid, []string{"no steps"}},
			{`{"runnel":1,"steps":[]}`, runnel.ErrInvalid, []string{"no steps"}},
			{`{"runnel":1,"steps":{}}`, runnel.ErrInvalid, []string{"steps"}},
			{`{"runnel":1,"steps":[{}]}`, runnel.ErrInvalid, []string{"steps[0]", "has 0 of task"}},
			{`{"runnel":1,"steps":[7]}`, runnel.ErrInvalid, []string{"steps[0]"}},
			{`{"runnel":1,"steps":[{"value":1,"task":"hi"}]}`, runnel.ErrInvalid, []string{"steps[0]", "has 2 of task"}},
			{`{"runnel":1,"steps":[{"value":1,"args":[1]}]}`, runnel.ErrInvalid, []string{"steps[0]", "args"}},
			{`{"runnel":1,"steps":[{"children":[{"runnel":1,"steps":[{"value":1}]}]}]}`, runnel.ErrInvalid, []string{"steps[0].children[0]", "version"}},
			{`{"runnel":1,"steps":[{"children":[{"steps":[{"value":1,"on":"success"}]}]}]}`, runnel.ErrInvalid, []string{"steps[0].children[0].steps[0]", `"success"`}},
			{`{"runnel":1,"steps":[{"task":"hi","args":["J","D"],"options":{"timeout":"soon"}}]}`, runnel.ErrInvalid, []string{"steps[0]", "soon"}},
			{`{"runnel":1,"steps":[{"task":"hi","args":["J","D"],"options":{"timeout":"-1s"}}]}`, runnel.ErrInvalid, []string{"steps[0]", "timeout"}},
			{`{"runnel":1,"steps":[{"task":"hi","args":["J","D"],"options":{"retry":{"max":-1}}}]}`, runnel.ErrInvalid, []string{"steps[0]", "retries is -1"}},
			{`{"runnel":1,"steps":[{"children":[],"num_stages":-1}]}`, runnel.ErrInvalid, []string{"steps[0]", "num_stages is -1"}},
			{`{"runnel":1,"steps":[{"task":"hi","args":["J",7]}]}`, runnel.ErrInvalid, []string{`steps[0]: task "hi" wants string, got number`}},
			{`{"runnel":1,"steps":[{"value":true},{"task":"val"}]}`, runnel.ErrInvalid, []string{`steps[1]: task "val" wants string, got boolean`}},
			{`{"runnel":1,"steps":[{"value":{}},{"task":"three","args":["c"],"spread":2}]}`, runnel.ErrInvalid, []string{"steps[1]", "spread wants an array, got object"}},
			{`{"runnel":1,"steps":[{"task":"hi","args":["J","D"],"spread":2}]}`, runnel.ErrInvalid, []string{"steps[0]", "spread wants an array, and nothing arrives"}},
			{`{"runnel":1,"steps":[{"task":"hi","args":["J","D"],"spread":-3}]}`, runnel.ErrInvalid, []string{"steps[0]", "spread is -3; want 2 or 3"}},
			{`{"runnel":1,"steps":[{"value":["c"]},{"task":"three","args":["a","b"],"spread":1}]}`, runnel.ErrInvalid, []string{"steps[1]", "spread is 1; want 2 or 3"}},
			{`{"runnel":1,"steps":[{"value":["a","b"]},{"task":"hi","args":["J","D"],"spread":2,"ignore":true}]}`, runnel.ErrInvalid, []string{"steps[1]", "nothing arrives"}},
			{`{"runnel":1,"steps":[{"value":1}],"finally":{"task":"hi","args":["J"]}}`, runnel.ErrInvalid, []string{"finally", "wants 2 arguments, got 1"}},
			{`{"runnel":1,"steps":[{"value":1}]} {}`, nil, nil},
		} {
			if tt.like == nil { // package json refuses it before we see it
				var p runnel.Pipeline[json.RawMessage]
				if json.Unmarshal([]byte(tt.form), &p) == nil {
					t.Errorf("%s: no error", tt.form)
				}
				continue
			}
			s.refused(t, tt.like, tt.form, tt.says...)
		}
		place := `{"runnel":1,"steps":[{"children":[{"steps":[{"value":1}]},{"steps":[{"value":1}]},{"steps":[{"value":1}]},{"steps":[{"value":"x"},{"task":"halve","args":[2]}]}]}]}`
		s.refused(t, runnel.ErrInvalid, place, `children[3].steps[1]: task "halve" wants number, got string`)
	}, runnel.Register(halve))
}

var halve = runnel.NewTask2("halve", func(_ context.Context, x, by float64) (float64, error) { return x / by, nil })

func TestBadTasksAreRefused(t *testing.T) {
	body := func(context.Context) (int, error) { return 1, nil }
	twice := runnel.NewTask0("twice", body)
	for _, tt := range []struct {
		like error
		says string
		opts []runnel.OpenOption
	}{
		{runnel.ErrInvalid, `"twice" is registered twice`, []runnel.OpenOption{runnel.Register(twice, twice)}},
		{runnel.ErrInvalid, `"twice" is registered twice`, []runnel.OpenOption{runnel.Register(twice), runnel.Register(runnel.NewTask0("twice", body))}},
		{runnel.ErrInvalid, "no name", []runnel.OpenOption{runnel.Register(runnel.NewTask0("", body))}},
		{runnel.ErrInvalid, "Retries(-1)", []runnel.OpenOption{runnel.Register(runnel.NewTask0("x", body, runnel.Retries(-1)))}},
		{runnel.ErrInvalid, "nil", []runnel.OpenOption{runnel.Register(nil)}},
	} {
		for _, store := range stores {
			eng, err := runnel.Open(t.Context(), dsnOf(t, store), tt.opts...)
			if eng != nil || !errors.Is(err, tt.like) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		}
	}
}

func TestBadBodies(t *testing.T) {
	opts := runnel.Register(
		runnel.NewTask1("panics", func(_ context.Context, x string) (string, error) { panic(errors.New(x)) }),
		runnel.NewTask0("nil_map", func(context.Context) (string, error) {
			var m map[string]int
			m["x"] = 1 //nolint:staticcheck // it is what the test is about
			return "", nil
		}),
		runnel.NewTask0("goexit", func(context.Context) (string, error) { runtime.Goexit(); return "", nil }),
	)
	t.Run("panic", func(t *testing.T) {
		onStores(t, func(t *testing.T, s *suite) {
			for range 5 {
				f := s.fails(t, runnel.Ref1[string, string]("panics").Send("ouch"))
				isLike(t, f, runnel.ErrPanic, "panic: ouch")
				says(t, f.Stack, "conformance_input_test.go")
				isLike(t, s.fails(t, runnel.Ref0[string]("nil_map").Send()), runnel.ErrPanic, "nil map")
				says(t, s.fails(t, runnel.Ref0[string]("goexit").Send()).Message, "Goexit")
			}
			s.gives(t, "H J D", s.hi.Send("J", "D")) // the worker lives on
		}, opts, runnel.Concurrency(1))
	})
	t.Run("ignores its context", func(t *testing.T) { inBubbles(t, deafBodies) })
}

// deafBodies: the engine goes on without a body that ignores its context, after
// a grace of some seconds.
func deafBodies(t *testing.T, s *suite) {
	release := make(chan struct{})
	s.everything = append(s.everything, runnel.NewTask1("deaf", func(_ context.Context, x string) (string, error) {
		<-release
		s.called("awake", x)
		return x, nil
	}))
	do(t, s.eng.Close(t.Context()))
	s.eng = s.open(t)
	deaf := runnel.Ref1[string, string]("deaf")
	start := time.Now()
	f := s.fails(t, deaf.Send("a").Set(runnel.Timeout(time.Second)).ContinueWith(s.val))
	isLike(t, f, runnel.ErrTimeout, "timed out after 1s", "ignores its context")
	matches(t, f, context.DeadlineExceeded)
	if took := time.Since(start); took < time.Second || took > time.Minute {
		t.Errorf("took %v", took)
	}
	run := s.submit(t, deaf.Send("b").ContinueWith(s.val).FinallyDo(s.note.Send("fin")))
	is(t, api.Running, run)
	do(t, run.Cancel(t.Context()))
	is(t, api.Cancelling, run)
	matches(t, endsBadly(t, run), runnel.ErrCancelled)
	wants(t, "fin", s.times("fin"), 1)
	// A retry follows while the first attempt still sleeps; what that says is ignored.
	again := s.submit(t, deaf.Send("c").Set(runnel.Timeout(time.Second), runnel.Retries(1)))
	f = endsBadly(t, again)
	wants(t, "attempt", f.Attempt, 2)
	s.gives(t, "H J D", s.hi.Send("J", "D"))
	close(release)
	quiet()
	wants(t, "awake", s.times("awake"), 4)
	is(t, api.Failed, again)
	is(t, api.Cancelled, run)
}

func TestHugeResult(t *testing.T) {
	size := 100 << 20
	if raceDetector {
		size /= 10
	}
	huge := runnel.NewTask0("huge", func(context.Context) (string, error) { return strings.Repeat("x", size), nil })
	length := runnel.NewTask1("length", func(_ context.Context, x string) (int, error) { return len(x), nil })
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			s := opened(t, store, dsnOf(t, store), runnel.Register(huge, length))
			run := s.submit(t, huge.Send())
			got, err := run.Wait(t.Context())
			do(t, err)
			wants(t, "length", len(got), size)
			s.gives(t, size, huge.Send().ContinueWith(length))
			// Neither the status nor the list of task runs drags it along.
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = run.Status(t.Context())
			do(t, err)
			taskRuns(t, s, api.TaskRunFilter{})
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 10<<20 {
				t.Errorf("a status and a list took %d MiB", grown>>20)
			}
		})
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	refused := func(path string, parts ...string) {
		t.Helper()
		eng, err := runnel.Open(t.Context(), "sqlite:"+path)
		if eng != nil || !errors.Is(err, runnel.ErrStore) {
			t.Fatalf("open %s: %v, want one like %v", path, err, runnel.ErrStore)
		}
		says(t, err.Error(), append([]string{filepath.Base(path)}, parts...)...)
	}
	s := opened(t, "sqlite", "sqlite:"+path("good.db"))
	refused(path("good.db"), "in use by another engine")
	do(t, os.Symlink(path("good.db"), path("link.db")))
	_, err := runnel.Open(t.Context(), "sqlite:"+path("link.db"))
	isLike(t, err, runnel.ErrStore, "good.db", "in use by another engine")
	s.gives(t, "H J D", s.hi.Send("J", "D")) // no harm done
	do(t, s.eng.Close(t.Context()))

	do(t, os.WriteFile(path("text.db"), []byte(strings.Repeat("not a database. ", 1000)), 0o600))
	refused(path("text.db"), "not a")
	refused(filepath.Join(dir, "missing", "x.db"), "no directory")
	do(t, os.Mkdir(path("folder.db"), 0o700))
	refused(path("folder.db"), "is a directory")

	// user_version is a big-endian number at offset 60 of the header.
	data, err := os.ReadFile(path("good.db"))
	do(t, err)
	copy(data[60:64], []byte{0, 0, 3, 231})
	do(t, os.WriteFile(path("newer.db"), data, 0o600))
	refused(path("newer.db"), "newer", "999")
	copy(data[68:72], []byte{0, 0, 0, 9}) // the application's id
	do(t, os.WriteFile(path("other.db"), data, 0o600))
	refused(path("other.db"), "another program")

	if os.Getuid() != 0 { // root writes where it likes
		do(t, os.WriteFile(path("readonly.db"), nil, 0o400))
		refused(path("readonly.db"), "read-only")
	}
	s.eng = s.open(t) // the good one is as it was
	for run, err := range s.eng.Runs(t.Context(), api.RunFilter{}) {
		do(t, err)
		wants(t, "state", run.State, api.Completed)
	}
}
