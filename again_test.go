package runnel_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/runnel-dev/runnel"
)

// againFlow is a flow whose bodies are written down, some of which fail.
type againFlow struct {
	mu  sync.Mutex
	bad []string
	ran []string
	ids map[string]string
}

func (a *againFlow) body(ctx context.Context, name string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ran = append(a.ran, name)
	a.ids[name] = runnel.TaskRun(ctx).ID
	if slices.Contains(a.bad, name) {
		return "", errors.New("bad " + name)
	}
	return name, nil
}

// took gives what ran since it was asked last.
func (a *againFlow) took() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ran := a.ran
	a.ran = nil
	slices.Sort(ran)
	return strings.Join(ran, " ")
}

func (a *againFlow) fails(names ...string) {
	a.mu.Lock()
	a.bad = names
	a.mu.Unlock()
}

func (a *againFlow) id(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ids[name]
}

// A flow is retried from one of its calls on: what it had called before stays, by its
// journal, also after the engine was opened again.
func TestRetryFromCall(t *testing.T) {
	a := &againFlow{ids: map[string]string{}}
	say := runnel.NewTask1("say", a.body)
	inner := runnel.NewFlow0("inner", func(f runnel.Flow) (string, error) {
		_, _ = a.body(f, "inner") // it does not fail
		if _, err := say.Call(f, "in1"); err != nil {
			return "", err
		}
		return say.Call(f, "in2")
	})
	outer := runnel.NewFlow0("outer", func(f runnel.Flow) (string, error) {
		_, _ = a.body(f, "outer") // it does not fail
		if _, err := say.Call(f, "first"); err != nil {
			return "", err
		}
		if _, err := say.Map(f, []string{"m0", "m1", "m2"}).Results(f); err != nil {
			return "", err
		}
		if _, err := inner.Call(f); err != nil {
			return "", err
		}
		both := runnel.InParallel(runnel.List(say.Send("p0"), say.Send("p1")))
		if _, err := say.Send("p").ContinueWith(both.Ignoring[string]()).Call(f); err != nil {
			return "", err
		}
		if _, err := say.Call(f, "shaky"); err != nil {
			_, _ = a.body(f, "tolerated") // it does not fail
		}
		return say.Call(f, "last")
	})
	after := runnel.NewTask1("after", func(ctx context.Context, _ string) (string, error) { return a.body(ctx, "after") })
	path := "sqlite:" + filepath.Join(t.TempDir(), "again.db")
	open := func() *runnel.Engine {
		eng, err := runnel.Open(t.Context(), path, runnel.Register(say, inner, outer, after))
		do(t, err)
		return eng
	}
	eng := open()
	defer func() { do(t, eng.Close(t.Context())) }()
	run, err := eng.Submit(t.Context(), outer.Send().ContinueWith(after))
	do(t, err)
	_, err = run.Wait(t.Context())
	do(t, err)
	wants(t, "the first time", a.took(), "after first in1 in2 inner last m0 m1 m2 outer p p0 p1 shaky")
	from := func(name, want string) {
		t.Helper()
		do(t, run.RetryFrom(t.Context(), a.id(name)))
		_, err := run.Wait(t.Context())
		do(t, err)
		wants(t, "from "+name, a.took(), want)
	}
	refused := func(name, why string) {
		t.Helper()
		err := run.RetryFrom(t.Context(), a.id(name))
		if !errors.Is(err, runnel.ErrConflict) || !strings.Contains(err.Error(), why) {
			t.Errorf("from %s: %v; want a conflict with %q", name, err, why)
		}
	}
	from("last", "after last outer")
	// The others of a map were called before it had ended, whenever they began.
	from("m0", "after in1 in2 inner last m0 outer p p0 p1 shaky")
	from("m2", "after in1 in2 inner last m2 outer p p0 p1 shaky")
	do(t, eng.Close(t.Context()))
	eng = open()
	run, err = eng.Attach[string](t.Context(), run.ID())
	do(t, err)
	from("inner", "after in1 in2 inner last outer p p0 p1 shaky")
	from("p", "after last outer p p0 p1 shaky")
	from("after", "after")
	refused("p0", a.id("p")) // it says from where
	refused("in2", a.id("inner"))
	// A call that failed is made again with every retry of its flow.
	a.fails("shaky")
	from("p", "after last outer p p0 p1 shaky tolerated")
	a.fails()
	was := a.id("last")
	from("last", "after last outer shaky")
	if err := run.RetryFrom(t.Context(), was); !errors.Is(err, runnel.ErrConflict) {
		t.Errorf("from a call that was made again: %v", err)
	}
	from("first", "after first in1 in2 inner last m0 m1 m2 outer p p0 p1 shaky")
	// The flow itself forgets all its calls.
	from("outer", "after first in1 in2 inner last m0 m1 m2 outer p p0 p1 shaky")
	do(t, run.RetryAll(t.Context()))
	_, err = run.Wait(t.Context())
	do(t, err)
	wants(t, "all", a.took(), "after first in1 in2 inner last m0 m1 m2 outer p p0 p1 shaky")
	if err := run.Retry(t.Context()); !errors.Is(err, runnel.ErrConflict) {
		t.Errorf("what failed, of a run that completed: %v", err)
	}
}
