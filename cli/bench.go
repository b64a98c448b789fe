package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// load is the flags of bench.
type load struct {
	tasks, runs, clients int
	limit                time.Duration
	keep                 bool
}

// The tasks of bench have a queue of their own: they are for nobody else, and this
// process does nothing of anybody's.
const benchQueue = "runnel.bench"

var benchTask = runnel.NewTask1("runnel.bench", func(_ context.Context, x int) (int, error) { return x, nil },
	runnel.Queue(benchQueue), runnel.Description("Does nothing, for runnel bench."))

func newBenchCmd(env *Env) *cobra.Command {
	var l load
	c := &cobra.Command{
		Use: "bench", Short: "Measure how many tasks a second a database or a server takes", Args: none,
		Long: `Measure how many tasks a second a database or a server takes: one run with a group of
--tasks tasks that do nothing, and then --runs runs of one such task, each submitted
and waited for, --clients at a time. The bodies run in this process, in a queue of their
own. The runs are removed afterwards, unless --keep is given.

Where nothing says which database, it is a SQLite file in the folder for temporary
files, which goes afterwards. What is measured is this machine with whatever else
it does; the figures of different machines are not to be compared without that.`,
		Example: "  runnel bench --db postgres://localhost/flows\n  runnel bench --server http://127.0.0.1:7733 --tasks 1000",
		RunE:    func(cmd *cobra.Command, _ []string) error { return env.bench(cmd.Context(), &l) },
	}
	c.Flags().IntVar(&l.tasks, "tasks", 10_000, "how many tasks the group has, up to a million")
	c.Flags().IntVar(&l.runs, "runs", 500, "how many runs of one task, up to a million")
	c.Flags().IntVar(&l.clients, "clients", 1, "how many of those at a time, up to 1,000")
	c.Flags().DurationVar(&l.limit, "limit", time.Minute, "how long it may take; what there is by then is removed")
	c.Flags().BoolVar(&l.keep, "keep", false, "keep the runs, to look at")
	return c
}

// measured is what bench found.
type measured struct {
	At      string  `json:"at"`
	Tasks   int     `json:"tasks"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"tasks_per_second"`
	Runs    int     `json:"runs"`
	Clients int     `json:"clients"`
	// From Submit to the result.
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
	RunRate float64 `json:"runs_per_second"`
}

func (env *Env) bench(ctx context.Context, l *load) (err error) {
	for _, f := range []struct {
		name    string
		n, most int
	}{{"tasks", l.tasks, 1_000_000}, {"runs", l.runs, 1_000_000}, {"clients", l.clients, 1000}} {
		if f.n < 1 || f.n > f.most {
			return usagef("--%s %d: want 1 to %d", f.name, f.n, f.most)
		}
	}
	if l.limit <= 0 {
		return usagef("--limit %s: want more than 0", l.limit)
	}
	at, err := env.place()
	if err != nil {
		return err
	}
	if at.from == "default" {
		dir, err := os.MkdirTemp("", "runnel-bench-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // in the folder for such things
		at.DB = "sqlite:" + filepath.Join(dir, "bench.db")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.limit, api.Errorf(api.ErrTimeout, "", "it took longer than --limit %s allows", l.limit))
	defer cancel()
	m, err := env.measure(ctx, at, l)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return env.printer.one(raw, strconv.FormatFloat(m.Rate, 'f', 0, 64), func(f *facts) {
		p := &env.printer
		f.line("at", m.At)
		f.line("tasks", fmt.Sprintf("%s in %s: %s a second", p.number(int64(m.Tasks)), short(seconds(m.Seconds)), p.number(int64(m.Rate))))
		f.line("runs", fmt.Sprintf("%s, %s at a time: %s a second", p.number(int64(m.Runs)), p.number(int64(m.Clients)), p.number(int64(m.RunRate))))
		f.line("latency", fmt.Sprintf("p50 %s, p99 %s, max %s", short(seconds(m.P50/1000)), short(seconds(m.P99/1000)), short(seconds(m.Max/1000))))
	})
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// bencher has an engine with the task that does nothing, and the runs that it made.
type bencher struct {
	eng  *runnel.Engine
	mu   sync.Mutex
	made []string
}

func (env *Env) measure(ctx context.Context, at place, l *load) (m measured, err error) {
	bare := *env
	bare.Options, bare.flags.builtin = nil, false
	opts := []runnel.OpenOption{runnel.Register(benchTask), runnel.Queues(benchQueue)}
	if at.Server != "" && at.Token != "" {
		opts = append(opts, runnel.BearerToken(at.Token))
	}
	eng, err := bare.open(ctx, cmp.Or(at.Server, at.DB), hire, opts...)
	if err != nil {
		return m, err
	}
	b := &bencher{eng: eng}
	defer func() {
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		if !l.keep {
			err = errors.Join(err, b.clean(rest))
		}
		err = errors.Join(err, eng.Close(rest))
	}()
	m = measured{At: strings.TrimSpace(at.Server + shown(at.DB)), Tasks: l.tasks, Runs: l.runs, Clients: l.clients}
	m.At = cmp.Or(m.At, "a database")
	if m.Seconds, err = b.group(ctx, l.tasks); err != nil {
		return m, err
	}
	m.Rate = float64(m.Tasks) / m.Seconds
	began := time.Now()
	took, err := b.singles(ctx, l.runs, l.clients)
	if err != nil {
		return m, err
	}
	m.RunRate = float64(m.Runs) / time.Since(began).Seconds()
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	m.P50, m.P99, m.Max = ms(took[(len(took)-1)*50/100]), ms(took[(len(took)-1)*99/100]), ms(took[len(took)-1])
	return m, nil
}

// cleanTime is how long the runs may take to go.
const cleanTime = 30 * time.Second

// one submits a run and waits for it.
func (b *bencher) one(ctx context.Context, p runnel.Pipeline[int]) error {
	run, err := b.eng.Submit(ctx, p, runnel.Name("runnel bench"))
	if err != nil {
		return err
	}
	b.add(run.ID())
	_, err = run.Wait(ctx)
	return err
}

func (b *bencher) add(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made = append(b.made, id)
}

// group runs a group of n tasks, and says how many seconds it took.
func (b *bencher) group(ctx context.Context, n int) (float64, error) {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	began := time.Now()
	run, err := b.eng.Submit(ctx, runnel.Each(benchTask).WithInitial(list), runnel.Name("runnel bench"))
	if err != nil {
		return 0, err
	}
	b.add(run.ID())
	_, err = run.Wait(ctx)
	return time.Since(began).Seconds(), err
}

// singles runs n tasks as runs of their own, and says how long each took.
func (b *bencher) singles(ctx context.Context, n, clients int) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	next := make(chan int)
	var all sync.WaitGroup
	problems := make([]error, clients)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for c := range clients {
		all.Go(func() {
			for i := range next {
				began := time.Now()
				if problems[c] = b.one(ctx, benchTask.Send(i)); problems[c] != nil {
					stop()
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	all.Wait()
	return took, errors.Join(problems...)
}

// clean removes what was made; what has not ended is ended before.
func (b *bencher) clean(ctx context.Context) error {
	for _, id := range b.made {
		err := b.eng.Delete(ctx, id)
		if errors.Is(err, api.ErrConflict) {
			err = b.end(ctx, id)
		}
		if err != nil && !errors.Is(err, api.ErrNotFound) {
			return err
		}
	}
	return nil
}

func (b *bencher) end(ctx context.Context, id string) error {
	run, err := b.eng.Attach[any](ctx, id)
	if err != nil {
		return err
	}
	if err := run.Cancel(ctx); err != nil && !errors.Is(err, api.ErrConflict) { // it has ended meanwhile
		return err
	}
	if _, err := run.Wait(ctx); ctx.Err() != nil {
		return err
	}
	return b.eng.Delete(ctx, id)
}
