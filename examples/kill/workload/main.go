// Command workload is what the kill test kills: one run with chains, groups
// within groups, retries, orchestrators, error handlers, finally and state. Its
// answer is known beforehand, see expected. Bodies take a moment, so that kills
// find many of them half done.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/examples/ledger"
)

func main() {
	db := flag.String("db", "", "database file")
	file := flag.String("ledger", "", "ledger file")
	rounds := flag.Int("rounds", 100, "how much there is to do")
	flag.Parse()
	if err := work(context.Background(), *db, *file, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "workload:", err)
		os.Exit(1)
	}
}

// work goes on with the run that is in the database, or submits it.
func work(ctx context.Context, db, file string, rounds int) (err error) {
	if err := book.Open(file); err != nil {
		return err
	}
	eng, err := runnel.Open(ctx, "sqlite:"+db, runnel.Register(round, double, shaky, hopeless, rescue, hold, release, down, sum, sweep, numbers))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close(ctx)) }()
	var run *runnel.Run[int]
	for last, err := range eng.Runs(ctx, api.RunFilter{Limit: 1}) {
		if err != nil {
			return err
		}
		if run, err = eng.Attach[int](ctx, last.ID); err != nil {
			return err
		}
	}
	if run == nil {
		p := numbers.Send(rounds).ContinueWith(runnel.Each(round, runnel.MaxParallelism(12))).ContinueWith(sum).FinallyDo(sweep.Send())
		if run, err = eng.Submit(ctx, p); err != nil {
			return err
		}
	}
	got, err := run.Wait(ctx)
	if err != nil {
		return err
	}
	if want := expected(rounds); got != want {
		return fmt.Errorf("got %d, want %d", got, want)
	}
	fmt.Println("answer", got)
	return nil
}

// The tasks. A hook notes each body before it begins and when it has ended.
var (
	book  ledger.Book
	begun = runnel.OnStarted(book.Started)
	ended = runnel.OnFinished(book.Finished)

	numbers = runnel.NewTask1("numbers", func(ctx context.Context, n int) ([]int, error) {
		list := make([]int, n)
		for i := range list {
			list[i] = i
		}
		return list, moment(ctx)
	}, begun, ended)
	double = runnel.NewTask1("double", func(ctx context.Context, x int) (int, error) { return 2 * x, moment(ctx) }, begun, ended)
	// shaky fails half of the time, and gives what it is given.
	shaky = runnel.NewTask1("shaky", func(ctx context.Context, x int) (int, error) {
		if rand.IntN(2) == 0 {
			return 0, errors.New("shaken")
		}
		return x, moment(ctx)
	}, begun, ended, runnel.Retries(50), runnel.RetryDelay(time.Millisecond))
	hopeless = runnel.NewTask1("hopeless", func(ctx context.Context, _ int) (int, error) {
		return 0, errors.Join(moment(ctx), errors.New("no hope"))
	}, begun, ended, runnel.Retries(1))
	rescue = runnel.NewTask1("rescue", func(ctx context.Context, _ *runnel.Failure) (int, error) { return 7, moment(ctx) }, begun, ended)
	// hold keeps a number in the pipeline's state, release takes it from there.
	hold = runnel.NewTask1("hold", func(ctx context.Context, x int) (int, error) {
		return 1, errors.Join(runnel.State[int](ctx).Set(x), moment(ctx))
	}, begun, ended)
	release = runnel.NewTask1("release", func(ctx context.Context, one int) (int, error) {
		x, err := runnel.State[int](ctx).Get()
		return x + one - 1, errors.Join(err, moment(ctx))
	}, begun, ended)
	// down counts down to nothing, one pipeline for each step, and gives 0.
	down = runnel.NewOrchestrator1("down", func(ctx context.Context, x int) (runnel.Runnable[int], error) {
		if x <= 0 {
			return runnel.Value(0), moment(ctx)
		}
		return shaky.Send(x - 1).ContinueWith(runnel.Ref1[int, int]("down")), moment(ctx)
	}, begun, ended)
	sum = runnel.NewTask1("sum", func(ctx context.Context, xs []int) (int, error) {
		total := 0
		for _, x := range xs {
			total += x
		}
		return total, moment(ctx)
	}, begun, ended)
	sweep = runnel.NewTask0("sweep", func(ctx context.Context) (runnel.None, error) { return runnel.None{}, moment(ctx) }, begun, ended)
)

// round is what happens for each number.
var round = runnel.NewOrchestrator1("round", func(ctx context.Context, n int) (runnel.Runnable[int], error) {
	chain := double.Send(n).ContinueWith(double).ContinueWith(shaky)                                           // 4n
	handled := hopeless.Send(n).Exceptionally(rescue)                                                          // 7
	longer := hopeless.Send(n).Exceptionally(rescue.With().ContinueWith(double)).ContinueWith(double)          // 28
	state := hold.Send(n).ContinueWith(double).ContinueWith(release)                                           // n + 1
	each := numbers.Send(n % 5).ContinueWith(runnel.Each(double.With().ContinueWith(shaky))).ContinueWith(sum) // n%5 * (n%5 - 1)
	nested := runnel.InParallel(runnel.List(
		runnel.InParallel(runnel.List(double.Send(1), shaky.Send(3))).ContinueWith(sum).ContinueWith(double), // 10
		down.Send(3), // 0
	), runnel.MaxParallelism(1)).ContinueWith(sum)
	all := runnel.InParallel(runnel.List(chain, handled, longer, state, each, nested), runnel.MaxParallelism(3)).ContinueWith(sum)
	return all.FinallyDo(sweep.Send()), moment(ctx)
}, begun, ended)

// expected is the answer.
func expected(rounds int) (total int) {
	for n := range rounds {
		total += 4*n + 7 + 28 + n + 1 + n%5*(n%5-1) + 10
	}
	return total
}

// moment passes, of up to 4 ms.
func moment(ctx context.Context) error {
	select {
	case <-time.After(time.Duration(rand.IntN(4000)) * time.Microsecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
