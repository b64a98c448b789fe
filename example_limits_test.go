package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func ExampleEngine_Limits() {
	fetch := runnel.NewTask1("fetch", func(_ context.Context, page int) (int, error) { return page * page, nil }, runnel.Tags("net"))
	sum := runnel.NewTask1("sum", func(_ context.Context, xs []int) (total int, _ error) {
		for _, x := range xs {
			total += x
		}
		return total, nil
	})
	eng := begin(fetch, sum)
	defer end(eng)

	// Over all runs, three pages at a time.
	if err := eng.Limits().Create(ctx, "net", 3); err != nil {
		log.Fatal(err)
	}
	fmt.Println(eng.Run(ctx, runnel.Value([]int{1, 2, 3, 4, 5}).ContinueWith(runnel.Each(fetch)).ContinueWith(sum)))
	// Output: 55 <nil>
}

func ExampleLimits_Create() {
	fetch := runnel.NewTask1("fetch", func(_ context.Context, page int) (int, error) { return page, nil }, runnel.Tags("net"))
	eng := begin(fetch)
	defer end(eng)

	// With 0 nothing that has the tag begins.
	if err := eng.Limits().Create(ctx, "net", 0); err != nil {
		log.Fatal(err)
	}
	_, err := eng.Run(ctx, fetch.Send(1))
	fmt.Println(err)
	for run, err := range eng.TaskRuns(ctx, api.TaskRunFilter{Tags: []string{"net"}}) {
		fmt.Println(run.State, run.StateName, err)
	}
	// A new number takes the place of the old one.
	if err := eng.Limits().Create(ctx, "net", 2); err != nil {
		log.Fatal(err)
	}
	fmt.Println(eng.Run(ctx, fetch.Send(1)))
	// Output:
	// the limit of tag net is 0: it would wait for ever
	// CANCELLED Aborted <nil>
	// 1 <nil>
}

func ExampleLimits_Read() {
	eng := begin()
	defer end(eng)
	limits := eng.Limits()
	for tag, n := range map[string]int{"net": 3, "db": 10} {
		if err := limits.Create(ctx, tag, n); err != nil {
			log.Fatal(err)
		}
	}

	for l, err := range limits.List(ctx) {
		fmt.Println(l.Tag, l.Limit, l.Active, l.Waiting, err)
	}
	// Those in progress are not counted any more; then there is no limit at all.
	fmt.Println(limits.Reset(ctx, "db"), limits.Delete(ctx, "db"))
	_, err := limits.Read(ctx, "db")
	fmt.Println(errors.Is(err, runnel.ErrNotFound))
	// Output:
	// db 10 0 0 <nil>
	// net 3 0 0 <nil>
	// <nil> <nil>
	// true
}
