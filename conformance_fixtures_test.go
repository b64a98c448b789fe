package runnel_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// The neutral fixtures of the conformance cases, and how the cases are run: on
// both stores. Those that are about time, or about what does not happen, run in
// a bubble of testing/synctest, where "nothing moves any more" can be told.

// none is the value of a task without result.
var none = runnel.None{}

// pair and triple are what a task with several results gives.
type (
	pair   = runnel.Pair[string, string]
	triple = runnel.Triple[string, string, string]
)

// fourArgs stand for keyword arguments: fields may come in any order, and those
// left out have defaults.
type fourArgs struct{ A, B, C, D string }

func (f fourArgs) String() string {
	return strings.Join([]string{f.A, f.B, cmp.Or(f.C, "c"), cmp.Or(f.D, "d")}, ",")
}

// title are the options of titled.
type title struct {
	Last  string
	Title string
}

// fixtures are the neutral tasks, with a ledger of what was called.
type fixtures struct {
	hi, bye    runnel.Task2[string, string, string]
	join       runnel.Task1[[]string, string]
	three      runnel.Task3[string, string, string, string]
	four       runnel.Task1[fourArgs, string]
	fourBy     runnel.Task1[fourArgs, string]
	twoOf      runnel.Task2[string, string, pair]
	threeOf    runnel.Task3[string, string, string, triple]
	titled     runnel.Task2[string, title, string]
	val        runnel.Task1[string, string]
	rec        runnel.Task1[*runnel.Failure, string]
	mark       runnel.Task1[*runnel.Failure, string]
	add        runnel.Task2[[]string, string, []string]
	caught     runnel.Task2[*runnel.Failure, string, []string]
	note       runnel.Task1[string, runnel.None]
	slow       runnel.Task2[string, time.Duration, string]
	yielding   runnel.Task1[string, string]
	set        runnel.Task1[int, runnel.None]
	setMap     runnel.Task1[map[string]int, runnel.None]
	get, seen  runnel.Task0[int]
	getMap     runnel.Task0[map[string]int]
	times10    runnel.Task1[int, int]
	sum        runnel.Task2[int, int, int]
	flaky      runnel.Task1[int, string]
	pausing    runnel.Task1[string, string]
	hiTwo      runnel.Task2[string, string, string]
	refusing   runnel.Task1[string, string]
	everything []runnel.AnyTask

	mu     sync.Mutex
	log    []string
	active map[string]int
	most   map[string]int
	tokens []string
}

// The tasks that any type goes through are called by name.

func echo[A any]() runnel.Task1[A, A] { return runnel.Ref1[A, A]("echo") }

func show[A any]() runnel.Task1[A, string] { return runnel.Ref1[A, string]("show") }

func fails[R any](message string) runnel.Pipeline[R] {
	return runnel.Ref1[string, R]("fail").Send(message)
}

func failing[A, R any](message string) runnel.Step[A, R] { return fails[R](message).Ignoring[A]() }

// empty is the group without any chain.
func empty() runnel.Pipeline[[]string] { return runnel.InParallel[string](nil) }

// emptied is it as a step, which drops what arrives.
func emptied[A any]() runnel.Step[A, []string] { return empty().Ignoring[A]() }

func newFixtures() *fixtures {
	f := &fixtures{active: map[string]int{}, most: map[string]int{}}
	f.plain()
	f.failingTasks()
	f.stateful()
	f.listTasks()
	f.stubborn()
	f.timed()
	return f
}

func (f *fixtures) plain() {
	f.hi = kept(f, runnel.NewTask2("hi", func(_ context.Context, first, last string) (string, error) {
		f.called("hi", first, last)
		return "H " + first + " " + last, nil
	}))
	f.hiTwo = kept(f, runnel.NewOrchestrator2("orchestrated_hi", func(_ context.Context, first, last string) (runnel.Runnable[string], error) {
		f.called("orchestrated_hi")
		return f.hi.Send(first, last), nil
	}))
	f.bye = kept(f, runnel.NewTask2("bye", func(_ context.Context, g, m string) (string, error) {
		f.called("bye", g, m)
		return g + "/" + m, nil
	}))
	f.join = kept(f, runnel.NewTask1("join", func(_ context.Context, list []string) (string, error) {
		f.called("join", list...)
		return strings.Join(list, ";"), nil
	}))
	f.three = kept(f, runnel.NewTask3("three", func(_ context.Context, a, b, c string) (string, error) {
		return a + "," + b + "," + c, nil
	}))
	f.four = kept(f, runnel.NewTask1("four", func(_ context.Context, args fourArgs) (string, error) { return args.String(), nil }))
	f.fourBy = kept(f, runnel.NewOrchestrator1("four_by", func(_ context.Context, args fourArgs) (runnel.Runnable[string], error) {
		return f.four.Send(args), nil
	}))
	f.twoOf = kept(f, runnel.NewTask2("pass2", func(_ context.Context, a, b string) (pair, error) { return pair{First: a, Second: b}, nil }))
	f.threeOf = kept(f, runnel.NewTask3("pass3", func(_ context.Context, a, b, c string) (triple, error) {
		return triple{First: a, Second: b, Third: c}, nil
	}))
	f.titled = kept(f, runnel.NewTask2("titled", func(_ context.Context, first string, o title) (string, error) {
		return "H " + cmp.Or(o.Title, "Mr") + " " + first + " " + o.Last, nil
	}))
	f.val = kept(f, runnel.NewTask1("val", func(_ context.Context, x string) (string, error) { return "V:" + x, nil }))
	f.add = kept(f, runnel.NewTask2("add_to", func(_ context.Context, list []string, x string) ([]string, error) {
		f.called("add_to", x)
		return append(list, x), nil
	}))
	f.note = kept(f, runnel.NewTask1("note", func(_ context.Context, what string) (runnel.None, error) {
		f.called(what)
		return none, nil
	}))
	kept(f, runnel.NewTask1("echo", func(_ context.Context, x json.RawMessage) (json.RawMessage, error) {
		f.called("echo", string(x))
		return x, nil
	}))
	kept(f, runnel.NewTask1("show", func(_ context.Context, x json.RawMessage) (string, error) {
		f.called("show", string(x))
		return string(x), nil
	}))
}

func (f *fixtures) failingTasks() {
	kept(f, runnel.NewTask1("fail", func(_ context.Context, message string) (json.RawMessage, error) {
		f.called("fail", message)
		return nil, errors.New(message)
	}))
	f.rec = kept(f, runnel.NewTask1("rec", func(_ context.Context, e *runnel.Failure) (string, error) {
		f.called("rec", e.Message)
		return "E:" + e.Error(), nil
	}))
	f.mark = kept(f, runnel.NewTask1("mark", func(_ context.Context, e *runnel.Failure) (string, error) {
		f.called("mark", e.Message)
		return "M:" + e.Error(), nil
	}))
	f.caught = kept(f, runnel.NewTask2("caught", func(_ context.Context, e *runnel.Failure, x string) ([]string, error) {
		f.called("caught", e.Message, x)
		return []string{e.Message, x}, nil
	}))
	f.refusing = kept(f, runnel.NewTask1("refusing", func(_ context.Context, x string) (string, error) {
		f.called("refusing", x)
		return "", errors.New("refused " + x)
	}))
	f.flaky = kept(f, runnel.NewTask1("flaky", func(ctx context.Context, failures int) (string, error) {
		attempt := runnel.TaskRun(ctx).Attempt
		f.called("flaky", strconv.Itoa(attempt))
		if attempt <= failures {
			return "", errors.New("attempt " + strconv.Itoa(attempt))
		}
		return "done on " + strconv.Itoa(attempt), nil
	}, runnel.Retries(3)))
}

func (f *fixtures) stateful() {
	f.set = kept(f, runnel.NewTask1("set", func(ctx context.Context, v int) (runnel.None, error) {
		f.called("set", strconv.Itoa(v))
		return none, runnel.State[int](ctx).Set(v)
	}))
	f.setMap = kept(f, runnel.NewTask1("set_map", func(ctx context.Context, v map[string]int) (runnel.None, error) {
		return none, runnel.State[map[string]int](ctx).Set(v)
	}))
	f.get = kept(f, runnel.NewTask0("get", func(ctx context.Context) (int, error) { return runnel.State[int](ctx).Get() }))
	f.seen = kept(f, runnel.NewTask0("seen", func(ctx context.Context) (int, error) {
		v, err := runnel.State[int](ctx).Get()
		f.called("seen", strconv.Itoa(v))
		return v, err
	}))
	f.getMap = kept(f, runnel.NewTask0("get_map", func(ctx context.Context) (map[string]int, error) {
		return runnel.State[map[string]int](ctx).Get()
	}))
	f.times10 = kept(f, runnel.NewTask1("times10", func(ctx context.Context, x int) (int, error) {
		v, err := runnel.State[int](ctx).Get()
		return x, errors.Join(err, runnel.State[int](ctx).Set(10*v))
	}))
	f.sum = kept(f, runnel.NewTask2("sum", func(_ context.Context, x, y int) (int, error) { return x + y, nil }))
	f.pausing = kept(f, runnel.NewTask1("pausing", func(ctx context.Context, x string) (string, error) {
		return x, errors.Join(runnel.State[int](ctx).Set(7), runnel.PauseAfter(ctx))
	}))
}

func (f *fixtures) listTasks() {
	kept(f, runnel.NewTask1("keep", func(ctx context.Context, list []string) (runnel.None, error) {
		return none, runnel.State[[]string](ctx).Set(list)
	}))
	kept(f, runnel.NewTask2("both", func(_ context.Context, list json.RawMessage, n int) (string, error) {
		return string(list) + " " + strconv.Itoa(n), nil
	}))
}

func (f *fixtures) stubborn() {
	kept(f, runnel.NewTask0("set_and_fail", func(ctx context.Context) (int, error) {
		return 0, errors.Join(runnel.State[int](ctx).Set(-1), errors.New("set and failed"))
	}))
	kept(f, runnel.NewTask0("third_time", func(ctx context.Context) (int, error) {
		v, err := runnel.State[int](ctx).Get()
		if err == nil {
			err = runnel.State[int](ctx).Set(v + 1)
		}
		if runnel.TaskRun(ctx).Attempt < 3 {
			return 0, errors.Join(err, errors.New("not yet"))
		}
		return v, err
	}, runnel.Retries(5)))
}

func (f *fixtures) timed() {
	f.slow = kept(f, runnel.NewTask2("slow", func(ctx context.Context, key string, d time.Duration) (string, error) {
		f.called("slow", key)
		defer f.busy(key)()
		select {
		case <-time.After(d):
			f.called("slept", key)
			return key, nil
		case <-ctx.Done():
			f.called("interrupted", key)
			return "", context.Cause(ctx)
		}
	}))
	f.yielding = kept(f, runnel.NewTask1("yielding", func(ctx context.Context, x string) (string, error) {
		f.called("yielding", x)
		token, err := runnel.Token(ctx)
		if err != nil {
			return "", err
		}
		f.mu.Lock()
		f.tokens = append(f.tokens, token)
		f.mu.Unlock()
		return "", runnel.Pending
	}))
}

// kept registers a fixture.
func kept[T runnel.AnyTask](f *fixtures, task T) T {
	f.everything = append(f.everything, task)
	return task
}

// called writes a line into the ledger.
func (f *fixtures) called(what string, args ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, strings.Join(append([]string{what}, args...), " "))
}

// busy counts who runs at the same time under the first letter of key, and in all.
func (f *fixtures) busy(key string) (done func()) {
	change := func(by int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, k := range []string{"", key[:1]} {
			f.active[k] += by
			f.most[k] = max(f.most[k], f.active[k])
		}
	}
	change(1)
	return func() { change(-1) }
}

// ledger gives what was called since the last time, sorted.
func (f *fixtures) ledger() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := slices.Sorted(slices.Values(f.log))
	f.log, f.most = nil, map[string]int{}
	return log
}

// times tells how many lines of the ledger begin with what.
func (f *fixtures) times(what string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range f.log {
		if line == what || strings.HasPrefix(line, what+" ") {
			n++
		}
	}
	return n
}

func (f *fixtures) maximum(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.most[key]
}

func (f *fixtures) token(t *testing.T, i int) string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if i >= len(f.tokens) {
		t.Fatalf("%d tokens, want more than %d", len(f.tokens), i)
	}
	return f.tokens[i]
}

// suite is an engine with the fixtures.
type suite struct {
	*fixtures
	eng   *runnel.Engine
	store string
	dsn   string
}

// patience bounds what hangs, on fake time; on the real clock go test does.
const patience = 30 * 24 * time.Hour

var stores = []string{"memory", "sqlite", "postgres"}

// onStores runs test on each store, on the real clock.
func onStores(t *testing.T, test func(t *testing.T, s *suite), opts ...runnel.OpenOption) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			test(t, opened(t, store, dsnOf(t, store), opts...))
		})
	}
}

// inBubbles runs test on each store, on fake time.
func inBubbles(t *testing.T, test func(t *testing.T, s *suite), opts ...runnel.OpenOption) {
	inBubblesOf(t, stores, test, opts...)
}

// forDays are the stores for tests that take days or years of fake time. A process
// that shares its store asks it every minute of them for runs that nobody has.
var forDays = []string{"memory", "sqlite"}

func inBubblesOf(t *testing.T, stores []string, test func(t *testing.T, s *suite), opts ...runnel.OpenOption) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			dsn := dsnOf(t, store)
			synctest.Test(t, func(t *testing.T) { test(t, opened(t, store, dsn, opts...)) })
		})
	}
}

func dsnOf(t *testing.T, store string) string {
	t.Helper()
	switch store {
	case "memory":
		return "memory:"
	case "postgres":
		// On fake time nobody may wait for the network, and a lease of ten seconds
		// would be renewed 1,440 times in each hour of it.
		return pgtest.With(pgtest.With(pgtest.DSN(t), "notify", "off"), "lease", "24h")
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "runnel.db")
}

func opened(t *testing.T, store, dsn string, opts ...runnel.OpenOption) *suite {
	t.Helper()
	s := &suite{fixtures: newFixtures(), store: store, dsn: dsn}
	s.eng = s.open(t, opts...)
	return s
}

// open opens the suite's database and closes it after the test.
func (s *suite) open(t *testing.T, opts ...runnel.OpenOption) *runnel.Engine {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	eng, err := runnel.Open(ctx, s.dsn, append(opts, runnel.Register(s.everything...))...)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := eng.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return eng
}

func (s *suite) run[R any](t *testing.T, p runnel.Runnable[R]) (R, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return s.eng.Run(ctx, p)
}

// gives runs a pipeline that must give want.
func (s *suite) gives[R any](t *testing.T, want R, p runnel.Runnable[R]) {
	t.Helper()
	got, err := s.run(t, p)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

// fails runs a pipeline that must fail.
func (s *suite) fails[R any](t *testing.T, p runnel.Runnable[R]) *runnel.Failure {
	t.Helper()
	got, err := s.run(t, p)
	var f *runnel.Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v and error %v, want a failure", got, err)
	}
	return f
}

// submit submits a pipeline.
func (s *suite) submit[R any](t *testing.T, p runnel.Runnable[R]) *runnel.Run[R] {
	t.Helper()
	run, err := s.eng.Submit(t.Context(), p)
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	return run
}

// ends waits for a run that must give want.
func ends[R any](t *testing.T, want R, run *runnel.Run[R]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := run.Wait(ctx)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v (%v), want %#v", got, err, want)
	}
}

// endsBadly waits for a run that must fail or be cancelled.
func endsBadly[R any](t *testing.T, run *runnel.Run[R]) *runnel.Failure {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := run.Wait(ctx)
	var f *runnel.Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v and error %v, want a failure", got, err)
	}
	return f
}

// is checks a run's state once nothing moves any more. In a bubble only.
func is[R any](t *testing.T, want api.State, run *runnel.Run[R]) {
	t.Helper()
	synctest.Wait()
	status, err := run.Status(t.Context())
	if err != nil || status.State != want {
		t.Errorf("state %v (%v), want %v", status.State, err, want)
	}
}

// quiet returns once nothing moves any more. In a bubble only.
func quiet() { synctest.Wait() }

// inOrder gives the ledger as it was written.
func (f *fixtures) inOrder() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// finalState checks the state that a run ended with.
func finalState[R, S any](t *testing.T, want S, run *runnel.Run[R]) {
	t.Helper()
	got, err := run.FinalState[S](t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("final state %v (%v), want %v", got, err, want)
	}
}

// interrupt closes an engine without waiting for bodies, as near to a crash as it
// gets in one process: what they answer is lost. In a bubble only.
func interrupt(t *testing.T, eng *runnel.Engine) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := eng.Close(ctx); err != nil && !errors.Is(err, runnel.ErrTimeout) && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	quiet()
}

// wants compares.
func wants[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// says checks for parts of a text, in order.
func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("%q should contain, in order, %q", text, parts)
			return
		}
		rest = after
	}
}

// do fails the test on an error.
func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fromJSON reads the untyped form.
func fromJSON(t *testing.T, data string) runnel.Pipeline[json.RawMessage] {
	t.Helper()
	var p runnel.Pipeline[json.RawMessage]
	if err := json.Unmarshal([]byte(data), &p); err != nil {
		t.Fatalf("parse %s: %v", data, err)
	}
	return p
}

// untyped runs the JSON form, which must give want.
func (s *suite) untyped(t *testing.T, want, steps string) {
	t.Helper()
	got, err := s.run(t, fromJSON(t, `{"runnel":1,"steps":[`+steps+`]}`))
	if err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

// refused checks that the JSON form is refused, when it is read or submitted.
func (s *suite) refused(t *testing.T, like error, form string, parts ...string) {
	t.Helper()
	var p runnel.Pipeline[json.RawMessage]
	err := json.Unmarshal([]byte(form), &p)
	if err == nil {
		_, err = s.eng.Submit(t.Context(), p)
	}
	if !errors.Is(err, like) {
		t.Fatalf("%s: error %v, want one like %v", form, err, like)
	}
	says(t, err.Error(), parts...)
}

// matches is errors.Is with a message.
func matches(t *testing.T, err, like error) {
	t.Helper()
	if !errors.Is(err, like) {
		t.Errorf("error %v, want one like %v", err, like)
	}
}

// Tasks that few cases need.
var (
	oddTask = runnel.NewTask1("odd", func(_ context.Context, x int) (int, error) {
		if x%2 == 0 {
			return 0, errors.New(strconv.Itoa(x) + " is even")
		}
		return x, nil
	})
	noneOfIt = runnel.NewTask1("none_of_it", func(context.Context, *runnel.Failure) ([]int, error) { return []int{}, nil })
)
