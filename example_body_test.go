package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func ExampleRetries() {
	busy := errors.New("busy")
	call := runnel.NewTask0("call", func(ctx context.Context) (string, error) {
		if n := runnel.TaskRun(ctx).Attempt; n < 3 {
			return "", fmt.Errorf("attempt %d: %w", n, busy)
		}
		return "through", nil
	},
		runnel.Retries(5),
		runnel.ExponentialBackoff(time.Millisecond, time.Second),
		runnel.RetryJitter(0.2),
		runnel.RetryFor(time.Hour),
		runnel.RetryIf(func(err error) bool { return errors.Is(err, busy) }),
		runnel.OnRetry(func(_ context.Context, count int) error {
			fmt.Println("retry", count)
			return nil
		}))
	eng := begin(call)
	defer end(eng)

	fmt.Println(eng.Run(ctx, call.Send()))
	fmt.Println(eng.Run(ctx, call.WithOptions(runnel.Retries(1), runnel.RetryDelay(time.Millisecond)).Send()))
	// Output:
	// retry 1
	// retry 2
	// through <nil>
	// retry 1
	//  attempt 2: busy
}

func ExampleRetryOn() {
	declined := errors.New("card declined")
	pay := runnel.NewTask0("pay", func(ctx context.Context) (int, error) {
		fmt.Println("attempt", runnel.TaskRun(ctx).Attempt)
		return 0, declined
	}, runnel.Retries(1), runnel.RetryOn("declined"))
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(pay), runnel.Errors("declined", declined))
	if err != nil {
		log.Fatal(err)
	}
	defer end(eng)

	_, err = eng.Run(ctx, pay.Send())
	fmt.Println(errors.Is(err, declined))
	// Output:
	// attempt 1
	// attempt 2
	// true
}

func ExampleTimeout() {
	hang := runnel.NewTask0("hang", func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	}, runnel.Timeout(time.Millisecond))
	eng := begin(hang)
	defer end(eng)

	_, err := eng.Run(ctx, hang.Send())
	fmt.Println(errors.Is(err, runnel.ErrTimeout), errors.Is(err, context.DeadlineExceeded))
	// Output: true true
}

func ExampleHeartbeat() {
	steps := runnel.NewTask1("steps", func(ctx context.Context, n int) (int, error) {
		for range n {
			if err := runnel.Heartbeat(ctx); err != nil {
				return 0, err
			}
		}
		return n, nil
	}, runnel.HeartbeatTimeout(time.Minute))
	eng := begin(steps)
	defer end(eng)

	fmt.Println(eng.Run(ctx, steps.Send(3)))
	// Output: 3 <nil>
}

func ExampleKeyed() {
	visit := runnel.NewTask0("visit", func(ctx context.Context) (int, error) {
		visits, err := runnel.Keyed[int](ctx).Get()
		if err != nil {
			return 0, err
		}
		return visits + 1, runnel.Keyed[int](ctx).Set(visits + 1)
	})
	eng := begin(visit)
	defer end(eng)

	ada := visit.WithOptions(runnel.TaskID("ada"))
	for range 2 {
		fmt.Println(eng.Run(ctx, ada.Send()))
	}
	fmt.Println(eng.Run(ctx, visit.Send().Set(runnel.TaskID("grace"))))
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 1 <nil>
}

func ExampleToken() {
	mail := make(chan string, 1)
	approve := runnel.NewTask1("approve", func(ctx context.Context, what string) (bool, error) {
		token, err := runnel.Token(ctx)
		if err != nil {
			return false, err
		}
		mail <- token
		return false, runnel.Pending
	}, runnel.Timeout(24*time.Hour))
	eng := begin(approve)
	defer end(eng)
	run, err := eng.Submit(ctx, approve.Send("holidays"))
	if err != nil {
		log.Fatal(err)
	}

	if err := eng.Complete(ctx, <-mail, true); err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: true <nil>
}

func ExampleEngine_Fail() {
	mail := make(chan string, 1)
	approve := runnel.NewTask0("approve", func(ctx context.Context) (bool, error) {
		token, err := runnel.Token(ctx)
		mail <- token
		return false, errors.Join(err, runnel.Pending)
	})
	eng := begin(approve)
	defer end(eng)
	run, err := eng.Submit(ctx, approve.Send())
	if err != nil {
		log.Fatal(err)
	}

	if err := eng.Fail(ctx, <-mail, errors.New("not this year")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: false not this year
}

func ExampleLogger() {
	work := runnel.NewTask1("work", func(ctx context.Context, x int) (int, error) {
		runnel.Logger(ctx).Info("working", "x", x)
		return x, nil
	})
	eng := begin(work)
	defer end(eng)
	run, err := eng.Submit(ctx, work.Send(3))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := run.Wait(ctx); err != nil {
		log.Fatal(err)
	}

	for line, err := range eng.Logs(ctx, api.LogFilter{Run: run.ID()}) {
		fmt.Println(line.Task, line.Level, line.Text, err)
	}
	// Output: work INFO working x=3 <nil>
}

func ExampleLogWriter() {
	work := runnel.NewTask0("work", func(ctx context.Context) (int, error) {
		out := runnel.LogWriter(ctx)
		for i := range 3 {
			fmt.Fprint(out, i, " ")
		}
		fmt.Fprintln(out, "is all")
		_, err := fmt.Fprint(out, "the rest")
		return 0, err
	})
	eng := begin(work)
	defer end(eng)
	run, err := eng.Submit(ctx, work.Send())
	if err != nil {
		log.Fatal(err)
	}
	if _, err := run.Wait(ctx); err != nil {
		log.Fatal(err)
	}

	for line, err := range eng.Logs(ctx, api.LogFilter{Run: run.ID(), Level: slog.LevelInfo, From: 1, Limit: 100}) {
		fmt.Println(line.Line, line.Level, line.Text, err)
	}
	// Output:
	// 1 INFO 0 1 2 is all <nil>
	// 2 INFO the rest <nil>
}

func ExampleEngine_FollowLogs() {
	told := make(chan bool)
	work := runnel.NewTask0("work", func(ctx context.Context) (int, error) {
		runnel.Logger(ctx).Info("begun")
		<-told
		runnel.Logger(ctx).Info("told")
		return 0, nil
	})
	eng := begin(work)
	defer end(eng)
	run, err := eng.Submit(ctx, work.Send())
	if err != nil {
		log.Fatal(err)
	}

	for line, err := range eng.FollowLogs(ctx, api.LogFilter{Run: run.ID()}) {
		fmt.Println(line.Text, err)
		if line.Text == "begun" { // it is durable, and the task still runs
			close(told)
		}
	}
	// Output:
	// begun <nil>
	// told <nil>
}

func ExampleIdempotencyKey() {
	charge := runnel.NewTask0("charge", func(ctx context.Context) (bool, error) {
		key := runnel.IdempotencyKey(ctx) // the same for every attempt
		return key == runnel.TaskRun(ctx).ID, nil
	})
	eng := begin(charge)
	defer end(eng)

	fmt.Println(eng.Run(ctx, charge.Send()))
	// Output: true <nil>
}

func ExamplePauseAfter() {
	check := runnel.NewTask1("check", func(ctx context.Context, amount int) (int, error) {
		if amount > 1000 {
			return amount, runnel.PauseAfter(ctx) // somebody should have a look
		}
		return amount, nil
	})
	eng := begin(check, double)
	defer end(eng)

	fmt.Println(eng.Run(ctx, check.Send(10).ContinueWith(double)))
	// Output: 20 <nil>
}

func ExampleOnFinished() {
	work := runnel.NewTask1("work", func(_ context.Context, x int) (int, error) { return x, nil },
		runnel.OnReceived(func(context.Context) error { fmt.Println("received"); return nil }),
		runnel.OnStarted(func(context.Context) error { fmt.Println("started"); return nil }),
		runnel.OnFinished(func(_ context.Context, how runnel.Finished) error {
			fmt.Println("finished with", string(how.Result), how.Err)
			return nil
		}))
	guarded := runnel.NewTask0("guarded", func(context.Context) (int, error) { return 0, nil },
		runnel.OnStarted(func(context.Context) error { return fmt.Errorf("not today: %w", runnel.ErrAbort) }))
	eng := begin(work, guarded)
	defer end(eng)

	fmt.Println(eng.Run(ctx, work.Send(3)))
	fmt.Println(eng.Run(ctx, guarded.Send()))
	// Output:
	// received
	// started
	// finished with 3 <nil>
	// 3 <nil>
	// 0 not today: abort the task
}

func ExampleCombine() {
	download := runnel.NewTask1("download", func(_ context.Context, url string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("content of " + url)), nil
	})
	store := runnel.NewTask2("store", func(ctx context.Context, r io.ReadCloser, name string) (string, error) {
		dir, err := runnel.TempDir(ctx) // both parts see the same
		if err != nil {
			return "", err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, name)
		return string(data) + " in " + name, errors.Join(r.Close(), os.WriteFile(path, data, 0o600))
	})
	move := runnel.Combine("move", download, store.With("bucket"), runnel.Retries(3))
	moveTo := runnel.Combine2("move_to", download, store)
	eng := begin(move, moveTo)
	defer end(eng)

	fmt.Println(eng.Run(ctx, move.Send("a")))
	fmt.Println(eng.Run(ctx, moveTo.Send("b", "vault")))
	// Output:
	// content of a in bucket <nil>
	// content of b in vault <nil>
}

func ExampleCombineVia() {
	numbers := runnel.NewTask1("numbers", func(_ context.Context, n int) (chan int, error) {
		all := make(chan int, n)
		for i := range n {
			all <- i + 1
		}
		close(all)
		return all, nil
	})
	square := runnel.NewTask1("square", func(_ context.Context, x int) (int, error) { return x * x, nil })
	sumOf := func(_ context.Context, all chan int) (sum int, err error) {
		for x := range all {
			sum += x
		}
		return sum, nil
	}
	eng := begin(runnel.CombineVia("square_of_sum", numbers, sumOf, square))
	defer end(eng)

	fmt.Println(eng.Run(ctx, runnel.Ref1[int, int]("square_of_sum").Send(4)))
	// Output: 100 <nil>
}
