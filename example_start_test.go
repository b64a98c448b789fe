package runnel_test

import (
	"context"
	"fmt"
	"time"

	"github.com/runnel-dev/runnel"
)

func ExampleStartAt() {
	remind := runnel.NewTask1("remind", func(_ context.Context, who string) (string, error) { return "dear " + who, nil })
	eng := begin(remind)
	defer end(eng)

	soon := time.Now().Add(50 * time.Millisecond)
	fmt.Println(eng.Run(ctx, remind.Send("Ada").Set(runnel.StartAt(soon))))
	fmt.Println("in time:", !time.Now().Before(soon))
	// Output:
	// dear Ada <nil>
	// in time: true
}

func ExampleStartAfter() {
	order := runnel.NewTask1("order", func(_ context.Context, what string) (string, error) { return what, nil })
	remind := runnel.NewTask1("remind", func(_ context.Context, what string) (string, error) { return "how was the " + what + "?", nil })
	shop := runnel.NewFlow0("shop", func(f runnel.Flow) (string, error) {
		ordered := order.Submit(f, "tea")
		// Counts from the end of the order. The process may end meanwhile.
		return remind.Bind(ordered).Call(f, runnel.StartAfter(50*time.Millisecond))
	})
	eng := begin(order, remind, shop)
	defer end(eng)

	began := time.Now()
	fmt.Println(eng.Run(ctx, shop.Send()))
	fmt.Println("later:", time.Since(began) >= 50*time.Millisecond)
	// In a pipeline it is an option of the step.
	fmt.Println(eng.Run(ctx, order.Send("cake").ContinueWith(remind.With().Set(runnel.StartAfter(time.Millisecond)))))
	// Output:
	// how was the tea? <nil>
	// later: true
	// how was the cake? <nil>
}
