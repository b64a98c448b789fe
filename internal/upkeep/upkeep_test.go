package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
	"github.com/runnel-dev/runnel/internal/upkeep"
)

// program is one whose bodies can be held up.
type program struct {
	gate chan struct{} // closed: nothing is held up
	held chan struct{} // told of each body that is
}

func newProgram(open bool) *program {
	p := &program{make(chan struct{}), make(chan struct{}, 100)}
	if open {
		close(p.gate)
	}
	return p
}

var (
	double = runnel.Ref1[int, int]("double")
	gated  = runnel.Ref1[int, int]("gated")
	long   = runnel.Ref1[int, string]("long")
	size   = runnel.Ref1[string, int]("size")
	count  = runnel.Ref0[int]("count")
	asks   = runnel.Ref0[string]("asks")
	sum    = runnel.Ref1[[]int, int]("sum")
	both   = runnel.Ref1[int, int]("both")
)

func (p *program) tasks() runnel.OpenOption {
	wait := func(ctx context.Context, x int) (int, error) {
		p.held <- struct{}{}
		select {
		case <-p.gate:
			return x + 1, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return runnel.Register(
		runnel.NewTask1("double", func(ctx context.Context, x int) (int, error) {
			runnel.Logger(ctx).Info("doubling \xff\x00", "x", x)
			return 2 * x, nil
		}, runnel.CacheKey(runnel.InputHash)),
		runnel.NewTask1("gated", wait),
		runnel.NewTask1("long", func(_ context.Context, n int) (string, error) { return strings.Repeat("é", n), nil }, runnel.CacheKey(runnel.InputHash)),
		runnel.NewTask1("size", func(_ context.Context, s string) (int, error) { return len(s), nil }),
		runnel.NewTask0("count", func(ctx context.Context) (int, error) {
			n, err := runnel.Keyed[int](ctx).Get()
			if err != nil {
				return 0, err
			}
			return n + 1, runnel.Keyed[int](ctx).Set(n + 1)
		}, runnel.TaskID("counter\xfe")),
		runnel.NewTask0("asks", func(ctx context.Context) (string, error) {
			_, err := runnel.Token(ctx)
			return "", errors.Join(err, runnel.Pending)
		}),
		runnel.NewTask1("sum", func(_ context.Context, xs []int) (int, error) {
			n := 0
			for _, x := range xs {
				n += x
			}
			return n, nil
		}),
		runnel.NewFlow1("both", func(f runnel.Flow, x int) (int, error) {
			a, err := double.Call(f, x)
			if err != nil {
				return 0, err
			}
			b, err := gated.Call(f, x)
			return a + b, err
		}),
	)
}

func (p *program) open(t *testing.T, dsn string) *runnel.Engine {
	t.Helper()
	eng, err := runnel.Open(t.Context(), dsn, p.tasks(), runnel.Concurrency(8))
	if err != nil {
		t.Fatal(err)
	}
	return eng
}

func end(t *testing.T, eng *runnel.Engine) {
	t.Helper()
	if err := eng.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// runs are those that the tests look at, by id.
type runs struct{ chain, blob, group, flow, asks, paused string }

// fill makes runs that have ended, and some that have not.
func fill(t *testing.T, dsn string) runs {
	t.Helper()
	p := newProgram(false)
	eng := p.open(t, dsn)
	var ids runs
	ids.chain = submit(t, eng, double.Send(4).ContinueWith(double), 16)
	ids.blob = submit(t, eng, long.Send(600_000).ContinueWith(size), 1_200_000)
	submit(t, eng, count.Send(), 1)
	submit(t, eng, count.Send(), 2)
	ctx := t.Context()
	if err := errors.Join(eng.Limits().Create(ctx, "db", 7), eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "slow", Limit: 3})); err != nil {
		t.Fatal(err)
	}
	var parts []runnel.Pipeline[int]
	for i := range 50 {
		parts = append(parts, double.Send(i))
	}
	group, err := eng.Submit(ctx, runnel.InParallel(append(parts, gated.Send(0)), runnel.MaxParallelism(20)).ContinueWith(sum))
	if err != nil {
		t.Fatal(err)
	}
	flow, err := eng.Submit(ctx, both.Send(10))
	if err != nil {
		t.Fatal(err)
	}
	waits, err := eng.Submit(ctx, asks.Send())
	if err != nil {
		t.Fatal(err)
	}
	paused, err := eng.Submit(ctx, gated.Send(1).ContinueWith(double))
	if err != nil {
		t.Fatal(err)
	}
	ids.group, ids.flow, ids.asks, ids.paused = group.ID(), flow.ID(), waits.ID(), paused.ID()
	for range 3 {
		<-p.held
	}
	if err := eng.Pause(ctx, ids.paused); err != nil {
		t.Fatal(err)
	}
	// A large result is kept for the cache beside the commit that ends its task run.
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for kept := 0; kept == 0; <-look.C {
		for _, err := range eng.Cache().List(ctx, api.CacheFilter{Task: "long"}) {
			if err != nil {
				t.Fatal(err)
			}
			kept++
		}
	}
	killed, kill := context.WithCancel(ctx)
	kill()
	_ = eng.Close(killed) // bodies that are held up run again
	return ids
}

func submit[R comparable](t *testing.T, eng *runnel.Engine, p runnel.Runnable[R], want R) string {
	t.Helper()
	run, err := eng.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := run.Wait(t.Context()); err != nil || got != want {
		t.Fatalf("the run gave %v, %v, want %v", got, err, want)
	}
	return run.ID()
}

// goesOn opens a database that was filled from an export, and finishes what was left.
func goesOn(t *testing.T, dsn string, ids runs) {
	t.Helper()
	p := newProgram(true)
	eng := p.open(t, dsn)
	defer end(t, eng)
	ctx := t.Context()
	result(t, eng, ids.chain, 16)
	result(t, eng, ids.blob, 1_200_000)
	result(t, eng, ids.group, 2451)
	result(t, eng, ids.flow, 31)
	if err := eng.Resume(ctx, ids.paused); err != nil {
		t.Fatal(err)
	}
	result(t, eng, ids.paused, 4)
	submit(t, eng, count.Send(), 3) // the state of before
	run, err := eng.Attach[string](ctx, ids.asks)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(ctx); !errors.Is(err, runnel.ErrCancelled) {
		t.Errorf("the run that was cancelled gave %v", err)
	}
	if l, err := eng.Limits().Read(ctx, "db"); err != nil || l.Limit != 7 {
		t.Errorf("the limit is %+v, %v", l, err)
	}
	lines := 0
	for l, err := range eng.Logs(ctx, api.LogFilter{Run: ids.chain}) {
		if err != nil {
			t.Fatal(err)
		}
		if lines++; !strings.HasPrefix(l.Text, "doubling ") {
			t.Errorf("a line says %q", l.Text)
		}
	}
	if lines != 2 {
		t.Errorf("there are %d lines, want 2", lines)
	}
}

func result(t *testing.T, eng *runnel.Engine, id string, want int) {
	t.Helper()
	run, err := eng.Attach[int](t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := run.Wait(t.Context()); err != nil || got != want {
		t.Errorf("run %s gave %d, %v, want %d", id, got, err, want)
	}
}

func export(t *testing.T, dsn string) []byte {
	t.Helper()
	var b bytes.Buffer
	rows, err := of(t, dsn).Export(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b.Bytes(), []byte("\n")); int64(n) != 2+total(rows) {
		t.Errorf("the file has %d lines, and there are %v", n, rows)
	}
	return b.Bytes()
}

func total(rows map[string]int64) (n int64) {
	for c := range maps.Values(rows) {
		n += c
	}
	return n
}

func of(t *testing.T, dsn string) *upkeep.Database {
	t.Helper()
	d, err := upkeep.Of(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func fillFrom(t *testing.T, dsn string, file []byte) {
	t.Helper()
	if _, err := of(t, dsn).Import(t.Context(), bytes.NewReader(file)); err != nil {
		t.Fatalf("Import: %v", err)
	}
}

// content is the rows of an export, in whichever order.
func content(file []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	lines = lines[1 : len(lines)-1]
	slices.Sort(lines)
	return lines
}

func sameContent(t *testing.T, got, want []byte) {
	t.Helper()
	a, b := content(got), content(want)
	if len(a) != len(b) {
		t.Errorf("there are %d rows, want %d", len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("a row is\n%.300s\nwant\n%.300s", a[i], b[i])
		}
	}
}

func file(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "runnel.db")
}

// All that is durable goes from one kind of store to the other and back, row by row,
// and runs that had not ended go on there and end.
func TestRoundTrip(t *testing.T) {
	for name, kinds := range map[string][2]func(*testing.T) string{
		"SQLite, PostgreSQL, SQLite":     {file, func(t *testing.T) string { t.Helper(); return pgtest.DSN(t) }},
		"PostgreSQL, SQLite, PostgreSQL": {func(t *testing.T) string { t.Helper(); return pgtest.DSN(t) }, file},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to, back := kinds[0](t), kinds[1](t), kinds[0](t)
			ids := fill(t, from)
			first := export(t, from)
			fillFrom(t, to, first)
			second := export(t, to)
			sameContent(t, second, first)
			fillFrom(t, back, second)
			sameContent(t, export(t, back), first)
			goesOn(t, to, ids)
			goesOn(t, back, ids)
		})
	}
}

// What is wrong with a file or a target is said, and nothing is done, not even half.
func TestImportRefuses(t *testing.T) {
	source := file(t)
	fill(t, source)
	whole := export(t, source)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines = lines[:len(lines)-1]
	cut := func(n int) []byte { return bytes.Join(lines[:n], nil) }
	replaced := func(from, to string) []byte { return bytes.Replace(whole, []byte(from), []byte(to), 1) }
	swapped := slices.Clone(lines)
	swapped[1], swapped[len(lines)-2] = swapped[len(lines)-2], swapped[1]
	twice := slices.Insert(slices.Clone(lines), 1, lines[1])
	cases := map[string]struct {
		file []byte
		says string
	}{
		"nothing":                 {nil, "does not begin with a header"},
		"something else":          {[]byte("hello\nworld\n"), "does not begin with a header"},
		"another version":         {replaced(`"version":1`, `"version":2`), "version 2 of the format, and this program reads version 1"},
		"another format":          {replaced(`"format":"runnel"`, `"format":"other"`), "no export of Runnel"},
		"only the header":         {cut(1), "line 2 of the file: the file ends before its last line"},
		"cut off after a line":    {cut(len(lines) - 1), "the file ends before its last line"},
		"cut off within a line":   {whole[:len(whole)-len(lines[len(lines)-1])-10], "the file ends before its last line"},
		"another letter":          {replaced(`"name":"double"`, `"name":"doubly"`), "SHA-256"},
		"a line less":             {slices.Concat(lines[0], bytes.Join(lines[2:], nil)), "rows of kind"},
		"another order":           {bytes.Join(swapped, nil), "out of its order"},
		"a row twice":             {bytes.Join(twice, nil), "the file has a row twice"},
		"a field more":            {replaced(`{"run":{`, `{"run":{"more":1,`), `unknown field "more"`},
		"a kind more":             {slices.Concat(lines[0], []byte("{\"new\":{}}\n"), bytes.Join(lines[1:], nil)), `"new" is no kind of row`},
		"no state":                {replaced(`"state":"COMPLETED"`, `"state":"DONE"`), "unknown state"},
		"something after the end": {append(slices.Clone(whole), "x\n"...), "something follows the last line"},
		"gzip that is none":       {[]byte{0x1f, 0x8b, 1, 2, 3}, "gzip"},
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		target := file(t)
		if kind == "postgres" {
			target = pgtest.DSN(t)
		}
		for name, c := range cases {
			t.Run(kind+", "+name, func(t *testing.T) {
				_, err := of(t, target).Import(t.Context(), bytes.NewReader(c.file))
				if !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("Import: %v\nwant an ErrInvalid that says %q", err, c.says)
				}
			})
		}
		t.Run(kind+" is filled after all", func(t *testing.T) {
			fillFrom(t, target, whole)
			sameContent(t, export(t, target), whole)
		})
		t.Run(kind+" is not empty", func(t *testing.T) {
			_, err := of(t, target).Import(t.Context(), bytes.NewReader(whole))
			if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "is not empty") {
				t.Errorf("Import: %v, want an ErrConflict", err)
			}
			sameContent(t, export(t, target), whole)
		})
	}
}

// A database that an engine has open is looked at and exported, and not filled.
func TestBesideEngine(t *testing.T) {
	for name, dsn := range map[string]string{"sqlite": file(t), "postgres": pgtest.DSN(t)} {
		t.Run(name, func(t *testing.T) {
			if _, err := of(t, dsn).Migrate(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			empty := export(t, dsn)
			eng := newProgram(true).open(t, dsn)
			defer end(t, eng)
			if _, err := of(t, dsn).Import(t.Context(), bytes.NewReader(empty)); err == nil || !strings.Contains(err.Error(), "pid ") {
				t.Errorf("Import beside an engine: %v, want an error that names it", err)
			}
			submit(t, eng, double.Send(1), 2)
			if got := content(export(t, dsn)); len(got) < 2 {
				t.Errorf("the export has %d rows, want those of a run", len(got))
			}
			r, err := of(t, dsn).Look(t.Context())
			if err != nil || len(r.Users) != 1 || r.Live.N != 0 || r.Oldest == nil || r.Bytes == 0 {
				t.Errorf("Look: %+v, %v", r, err)
			}
			submit(t, eng, double.Send(2), 4)
		})
	}
}

// A file that is being read and breaks leaves nothing, however far it was read.
func TestImportInterrupted(t *testing.T) {
	source := file(t)
	fill(t, source)
	whole := export(t, source)
	for name, dsn := range map[string]string{"sqlite": file(t), "postgres": pgtest.DSN(t)} {
		t.Run(name, func(t *testing.T) {
			for part := range 8 {
				ctx, cancel := context.WithCancel(t.Context())
				_, err := of(t, dsn).Import(ctx, &interrupted{bytes.NewReader(whole[:len(whole)*part/8]), cancel})
				if err == nil {
					t.Fatal("Import of a part worked")
				}
			}
			fillFrom(t, dsn, whole)
		})
	}
}

// interrupted ends a context at the end of what it reads.
type interrupted struct {
	r    io.Reader
	stop context.CancelFunc
}

func (i *interrupted) Read(b []byte) (int, error) {
	n, err := i.r.Read(b)
	if errors.Is(err, io.EOF) {
		i.stop()
		err = errors.New("the cable was pulled")
	}
	return n, err
}

// Look counts, and says what is to be migrated; Vacuum frees room.
func TestLookAndVacuum(t *testing.T) {
	for name, dsn := range map[string]string{"sqlite": file(t), "postgres": pgtest.DSN(t)} {
		t.Run(name, func(t *testing.T) {
			d := of(t, dsn)
			was, err := d.Migrate(t.Context(), true)
			if err != nil || was.Version != 0 || len(was.Pending) != was.Newest || was.Newest == 0 {
				t.Fatalf("Migrate, dry: %+v, %v", was, err)
			}
			if r, err := d.Look(t.Context()); err == nil && len(r.Tables) > 0 {
				t.Errorf("a dry migration made %+v", r)
			}
			if _, err := d.Migrate(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if was, err = d.Migrate(t.Context(), true); err != nil || was.Version != was.Newest || len(was.Pending) != 0 {
				t.Errorf("after Migrate: %+v, %v", was, err)
			}
			fill(t, dsn)
			r, err := d.Look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			rows := map[string]int64{}
			for _, table := range r.Tables {
				rows[table.Name] = table.Rows.N
			}
			if rows["run"] != 8 || rows["blob"] != 2 || rows["task"] < 40 || r.Live.N != 4 || time.Since(r.Oldest.Created) > time.Hour {
				t.Errorf("Look: %+v", r)
			}
			before, after, err := d.Vacuum(t.Context())
			if err != nil || before == 0 || after == 0 {
				t.Errorf("Vacuum: %d, %d, %v", before, after, err)
			}
			again := export(t, dsn)
			if len(content(again)) < 40 {
				t.Errorf("after Vacuum there are %d rows", len(content(again)))
			}
		})
	}
}

// Vacuum makes a file smaller out of which runs have gone.
func TestVacuumShrinks(t *testing.T) {
	dsn := file(t)
	eng := newProgram(true).open(t, dsn)
	for i := range 5 {
		id := submit(t, eng, size.Send(fmt.Sprintf("%d%s", i, strings.Repeat("x", 50_000))), 50_001)
		if err := eng.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := of(t, dsn).Vacuum(t.Context()); err == nil || !strings.Contains(err.Error(), "is in use by another engine (pid ") {
		t.Errorf("Vacuum beside an engine: %v", err)
	}
	end(t, eng)
	before, after, err := of(t, dsn).Vacuum(t.Context())
	if err != nil || after >= before {
		t.Errorf("Vacuum: %d bytes before, %d after, %v", before, after, err)
	}
}

// What there is nothing of to look after is refused, and what is not there.
func TestOfRefuses(t *testing.T) {
	for _, dsn := range []string{"memory:", "https://runnel.example.com", "mysql:x", "sqlite:x?sync=never"} {
		if _, err := upkeep.Of(dsn); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("Of(%q): %v, want an ErrInvalid", dsn, err)
		}
	}
	for _, dsn := range []string{file(t), pgtest.DSN(t)} {
		var b bytes.Buffer
		if _, err := of(t, dsn).Export(t.Context(), &b); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("Export of what is not there: %v, want an ErrNotFound", err)
		}
		if _, _, err := of(t, dsn).Vacuum(t.Context()); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("Vacuum of what is not there: %v, want an ErrNotFound", err)
		}
	}
}
