package runnel_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/runneltest"
)

// stream is a reader that knows whether it was closed.
type stream struct {
	io.Reader
	closed *bool
}

func (s stream) Close() error {
	*s.closed = true
	return nil
}

// streaming makes a first part whose stream notes its closing.
func streaming(closed *bool, opts ...runnel.TaskOption) runnel.Task1[string, io.ReadCloser] {
	return runnel.NewTask1("source", func(_ context.Context, text string) (io.ReadCloser, error) {
		if text == "" {
			return nil, errors.New("nothing there")
		}
		return stream{strings.NewReader(text), closed}, nil
	}, opts...)
}

var (
	sink = runnel.NewTask2("sink", func(_ context.Context, r io.ReadCloser, prefix string) (string, error) {
		data, err := io.ReadAll(r)
		return prefix + string(data), errors.Join(err, r.Close())
	})
	upper = runnel.NewTask1("upper", func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil })
)

func TestCombine(t *testing.T) {
	var closed bool
	first := streaming(&closed)
	move := runnel.Combine("move", first, sink.With("> "))
	move2 := runnel.Combine2("move2", first, sink)
	via := runnel.CombineVia("via", first, func(_ context.Context, r io.ReadCloser) (string, error) {
		data, err := io.ReadAll(r)
		return string(data), errors.Join(err, r.Close())
	}, upper)
	longer := runnel.Combine("longer", move, upper)
	plain := runnel.Combine("plain", cleanup, runnel.NewTask1("after", func(context.Context, runnel.None) (string, error) { return "done", nil }))
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		for want, p := range map[string]runnel.Pipeline[string]{
			"> data": move.Send("data"),
			"= data": move2.Send("data", "= "),
			"DATA":   via.Send("data"),
			"> MORE": longer.Send("more"),
			"done":   plain.Send(runnel.None{}),
		} {
			if got := runneltest.Value(t, eng, p); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if f := runneltest.Failure(t, eng, move.Send("")); f.Message != "nothing there" || f.Task != "move" {
			t.Errorf("failure %+v", f)
		}
		run, err := eng.Submit(t.Context(), longer.Send("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for task, err := range eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID()}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range task.Parts {
				parts = append(parts, part.Task+" "+part.State.String())
			}
		}
		if want := []string{"source COMPLETED", "sink COMPLETED", "upper COMPLETED"}; !slices.Equal(parts, want) {
			t.Errorf("parts %q, want %q", parts, want)
		}
		if _, err := eng.Submit(t.Context(), first.Send("x")); !errors.Is(err, runnel.ErrEncoding) {
			t.Errorf("a stream was sent: %v", err)
		}
	}, runnel.Register(move, move2, via, longer, plain))
}

func TestCombineCloses(t *testing.T) {
	var closed bool
	abort := func(context.Context) error { return runnel.ErrAbort }
	never := runnel.NewTask1("never", func(_ context.Context, r io.ReadCloser) (string, error) {
		t.Error("the second part ran")
		return "", nil
	}, runnel.OnStarted(abort))
	same := func(_ context.Context, r io.ReadCloser) (io.ReadCloser, error) { return r, nil }
	bad := func(context.Context, io.ReadCloser) (io.ReadCloser, error) { return nil, errors.New("stitch") }
	tasks := []runnel.Task1[string, string]{
		runnel.Combine("hook of the second", streaming(&closed), never),
		runnel.Combine("hook of the first", streaming(&closed, runnel.OnFinished(func(context.Context, runnel.Finished) error { return runnel.ErrAbort })), never),
		runnel.CombineVia("after the stitch", streaming(&closed), same, never),
		runnel.CombineVia("in the stitch", streaming(&closed), bad, never),
		runnel.CombineVia("stitch panics", streaming(&closed), func(context.Context, io.ReadCloser) (io.ReadCloser, error) { panic("stitch") }, never),
	}
	var opts []runnel.OpenOption
	for _, task := range tasks {
		opts = append(opts, runnel.Register(task))
	}
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		for _, task := range tasks {
			closed = false
			runneltest.Failure(t, eng, task.Send("data"))
			if !closed {
				t.Errorf("%s: left open", task.Name())
			}
		}
	}, opts...)
}

func TestCombineSharesFolderAndHooks(t *testing.T) {
	var events []string
	var folder string
	note := func(what string) func(context.Context) error {
		return func(context.Context) error {
			events = append(events, what)
			return nil
		}
	}
	write := runnel.NewTask1("write", func(ctx context.Context, text string) (chan string, error) {
		dir, err := runnel.TempDir(ctx)
		if err != nil {
			return nil, err
		}
		paths := make(chan string, 1)
		paths <- filepath.Join(dir, "file")
		return paths, os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o600)
	}, runnel.OnReceived(note("write received")), runnel.OnStarted(note("write started")))
	read := runnel.NewTask1("read", func(ctx context.Context, paths chan string) (string, error) {
		folder, _ = runnel.TempDir(ctx)
		data, err := os.ReadFile(<-paths)
		return string(data), err
	}, runnel.OnStarted(note("read started")), runnel.OnResult(func(context.Context, runnel.Finished) error { return note("read result")(nil) }))
	both := runnel.Combine("both", write, read, runnel.OnStarted(note("both started")))
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		if got := runneltest.Value(t, eng, both.Send("text")); got != "text" {
			t.Errorf("got %q", got)
		}
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("folder %q: %v", folder, err)
		}
		want := []string{"both started", "write received", "write started", "read started", "read result"}
		if !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
	}, runnel.Register(both))
}

func TestCombinePending(t *testing.T) {
	waiting := runnel.NewTask0("waiting", func(context.Context) (int, error) { return 0, runnel.Pending })
	task := runnel.Combine("task", waiting, double)
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		if f := runneltest.Failure(t, eng, task.Send(runnel.None{})); !errors.Is(f, runnel.ErrInvalid) {
			t.Errorf("failure %+v", f)
		}
	}, runnel.Register(task))
}
