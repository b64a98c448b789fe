package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

var (
	price = runnel.NewTask1("price", func(_ context.Context, item string) (int, error) {
		if item == "unicorn" {
			return 0, errors.New("no such item")
		}
		return 10 * len(item), nil
	})
	total = runnel.NewTask1("total", func(_ context.Context, prices []int) (int, error) {
		sum := 0
		for _, p := range prices {
			sum += p
		}
		return sum, nil
	})
	receipt = runnel.NewTask2("receipt", func(_ context.Context, who string, sum int) (string, error) {
		return fmt.Sprintf("%s pays %d", who, sum), nil
	})
)

func ExampleNewFlow2() {
	order := runnel.NewFlow2("order", func(f runnel.Flow, who string, items []string) (string, error) {
		prices := price.Map(f, items)                       // all at the same time
		sum := total.Bind(prices).Submit(f)                 // once they are there
		return receipt.Bind(runnel.Value(who), sum).Call(f) // and then this
	})
	eng := begin(price, total, receipt, order)
	defer end(eng)

	fmt.Println(eng.Run(ctx, order.Send("Ada", []string{"tea", "milk"})))
	// Output: Ada pays 70 <nil>
}

func ExampleFuture_Outcome() {
	look := runnel.NewFlow0("look", func(f runnel.Flow) (string, error) {
		future := price.Submit(f, "unicorn")
		out, err := future.Outcome(f)
		if err != nil { // the flow was cancelled, say
			return "", err
		}
		state, err := future.State(f)
		return fmt.Sprint(state, ": ", out.Failure), err
	})
	eng := begin(price, look)
	defer end(eng)

	fmt.Println(eng.Run(ctx, look.Send()))
	// Output: FAILED: no such item <nil>
}

func ExampleAllowFailure() {
	say := runnel.NewTask1("say", func(_ context.Context, o runnel.Outcome[int]) (string, error) {
		v, err := o.Get()
		return fmt.Sprint(v, " ", err), nil
	})
	shop := runnel.NewFlow1("shop", func(f runnel.Flow, item string) (string, error) {
		p := price.Submit(f, item)
		if _, err := total.Bind(runnel.Gather[int](p)).Call(f); err != nil {
			fmt.Println("total:", err) // it never ran
		}
		return say.Bind(runnel.AllowFailure[int](p)).Call(f)
	})
	eng := begin(price, total, say, shop)
	defer end(eng)

	fmt.Println(eng.Run(ctx, shop.Send("unicorn")))
	fmt.Println(eng.Run(ctx, shop.Send("tea")))
	// Output:
	// total: upstream price-0 is FAILED, not COMPLETED
	// 0 no such item <nil>
	// 30 <nil> <nil>
}

func ExampleWaitFor() {
	tidy := runnel.NewTask0("tidy", func(ctx context.Context) (int, error) { return len(runnel.TaskRun(ctx).Upstream), nil })
	day := runnel.NewFlow0("day", func(f runnel.Flow) (int, error) {
		tea, milk := price.Submit(f, "tea"), price.Submit(f, "milk")
		return tidy.Call(f, runnel.WaitFor(tea, milk))
	})
	eng := begin(price, tidy, day)
	defer end(eng)

	fmt.Println(eng.Run(ctx, day.Send()))
	// Output: 2 <nil>
}

func ExampleAsCompleted() {
	sum := runnel.NewFlow1("sum", func(f runnel.Flow, items []string) (int, error) {
		done := 0
		for future, err := range runnel.AsCompleted(f, price.Map(f, items).List()) {
			if err != nil {
				return 0, err
			}
			p, err := future.Result(f)
			if err != nil {
				return 0, err
			}
			done += p
		}
		return done, nil
	})
	first := runnel.NewFlow0("first", func(f runnel.Flow) (int, error) {
		future, err := runnel.WaitAny(f, price.Submit(f, "tea"), price.Submit(f, "jam"))
		if err != nil {
			return 0, err
		}
		return future.Result(f)
	})
	eng := begin(price, sum, first)
	defer end(eng)

	fmt.Println(eng.Run(ctx, sum.Send([]string{"tea", "milk", "bread"})))
	fmt.Println(eng.Run(ctx, first.Send()))
	// Output:
	// 120 <nil>
	// 30 <nil>
}

func ExampleTask2_Map() {
	scale := runnel.NewTask2("scale", func(_ context.Context, x, by int) (int, error) { return x * by, nil })
	table := runnel.NewFlow1("table", func(f runnel.Flow, n int) ([]int, error) {
		numbers := iter.Seq[int](func(yield func(int) bool) {
			for i := 1; i <= n && yield(i); i++ {
			}
		})
		return scale.Map(f, numbers, runnel.Unmapped(7)).Results(f)
	})
	eng := begin(scale, table)
	defer end(eng)

	fmt.Println(eng.Run(ctx, table.Send(5)))
	// Output: [7 14 21 28 35] <nil>
}

func ExampleFlow() {
	tags := runnel.NewTask0("tags", func(ctx context.Context) ([]string, error) { return runnel.TaskRun(ctx).Tags, nil })
	day := runnel.NewFlow0("day", func(f runnel.Flow) (string, error) {
		began, err := f.Now()
		if err != nil {
			return "", err
		}
		if err := f.Sleep(10 * time.Millisecond); err != nil { // or a month
			return "", err
		}
		ended, err := f.Now()
		if err != nil {
			return "", err
		}
		labels, err := tags.Call(f.WithTags("slow").WithTimeout(time.Minute))
		return fmt.Sprint(ended.Sub(began) >= 10*time.Millisecond, " ", labels), err
	})
	eng := begin(tags, day)
	defer end(eng)

	fmt.Println(eng.Run(ctx, day.Send()))
	// Output: true [slow] <nil>
}

func ExampleGo() {
	both := runnel.NewFlow0("both", func(f runnel.Flow) (int, error) {
		parts := make([]int, 2)
		errs := make([]error, 2)
		done := make(chan struct{}, 2)
		for i, item := range []string{"tea", "milk"} {
			runnel.Go(f, item, func(f runnel.Flow) {
				parts[i], errs[i] = price.Call(f, item) // its key is tea/price-0
				done <- struct{}{}
			})
		}
		<-done
		<-done
		return parts[0] + parts[1], errors.Join(errs...)
	})
	eng := begin(price, both)
	defer end(eng)

	fmt.Println(eng.Run(ctx, both.Send()))
	// Output: 70 <nil>
}

func ExampleNewBatch() {
	add := runnel.NewTask2("add", func(_ context.Context, x, y int) (int, error) { return x + y, nil })
	inBatches := runnel.NewFlow0("in_batches", func(f runnel.Flow) ([]int, error) {
		futures, err := runnel.NewBatch(add, 2).Map(f, []int{1, 2, 3, 4}, []int{2, 3, 4, 5})
		if err != nil {
			return nil, err
		}
		return futures.Results(f)
	})
	careful := runnel.NewFlow0("careful", func(f runnel.Flow) (int, error) {
		futures, err := runnel.NewBatch(price, 1, runnel.AnyFailed()).Map(f, []string{"tea", "unicorn", "milk", "bread"})
		return len(futures.List()), err
	})
	eng := begin(add, price, inBatches, careful)
	defer end(eng)

	fmt.Println(eng.Run(ctx, inBatches.Send()))
	_, err := eng.Run(ctx, careful.Send())
	fmt.Println(err, errors.Is(err, runnel.ErrKillSwitch))
	// Output:
	// [3 5 7 9] <nil>
	// task "price": kill switch AnyFailed tripped at 1 failed of 2 ended: of 2 calls made 1 completed, 1 failed, 0 cancelled, 0 never ran true
}

func ExampleCountSwitch() {
	// Stops when more than a third of at least three has failed.
	third := runnel.CountSwitch("third", func(c api.BatchCounts) bool { return c.Ended >= 3 && 3*c.Failed > c.Ended })
	eng := begin(price, third)
	defer end(eng)

	items := runnel.Value([]string{"tea", "unicorn", "unicorn", "milk", "tea"})
	_, err := eng.Run(ctx, items.ContinueWith(runnel.Each(price, runnel.MaxParallelism(1), third)))
	fmt.Println(err, errors.Is(err, runnel.ErrKillSwitch))
	// Output: kill switch third tripped at 2 failed of 3 ended: of 5 children 1 completed, 2 failed, 0 cancelled, 2 never began: no such item | no such item true
}

func ExampleSwitch() {
	// Trips when three in a row have failed.
	unlucky := runnel.Switch("unlucky", func() func(api.State) bool {
		row := 0
		return func(state api.State) bool {
			if row++; state == api.Completed {
				row = 0
			}
			return row == 3
		}
	})
	try := runnel.NewFlow0("try", func(f runnel.Flow) (int, error) {
		items := []string{"unicorn", "tea", "unicorn", "unicorn", "unicorn", "milk"}
		futures, err := runnel.NewBatch(price, 1, unlucky).Map(f, items)
		if !errors.Is(err, runnel.ErrKillSwitch) {
			return 0, err
		}
		return len(futures.List()), nil
	})
	eng := begin(price, try)
	defer end(eng)

	fmt.Println(eng.Run(ctx, try.Send()))
	// Output: 5 <nil>
}
