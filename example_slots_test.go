package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func ExampleAcquire() {
	query := runnel.NewTask1("query", func(ctx context.Context, id int) (int, error) {
		prepared := id + 1 // what needs no connection
		release, err := runnel.Acquire(ctx, []string{"connections", "licence"})
		if err != nil {
			return 0, err
		}
		defer release()
		return prepared * 10, nil
	})
	eng := begin(query)
	defer end(eng)
	for name, n := range map[string]int{"connections": 5, "licence": 2} {
		if err := eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: name, Limit: n}); err != nil {
			log.Fatal(err)
		}
	}

	fmt.Println(eng.Run(ctx, runnel.Value([]int{1, 2, 3, 4}).ContinueWith(runnel.Each(query))))
	// Output: [20 30 40 50] <nil>
}

func ExampleRateLimit() {
	fetch := runnel.NewTask1("fetch", func(ctx context.Context, page int) (int, error) {
		if err := runnel.RateLimit(ctx, "service"); err != nil {
			return 0, err
		}
		return page * page, nil
	})
	eng := begin(fetch)
	defer end(eng)

	// Three at once, and fifty a second after that.
	if err := eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "service", Limit: 3, Decay: 50}); err != nil {
		log.Fatal(err)
	}
	began := time.Now()
	fmt.Println(eng.Run(ctx, runnel.Value([]int{1, 2, 3, 4, 5}).ContinueWith(runnel.Each(fetch))))
	fmt.Println("two had to wait:", time.Since(began) >= 40*time.Millisecond)
	// Output:
	// [1 4 9 16 25] <nil>
	// two had to wait: true
}

func ExampleOccupy() {
	load := runnel.NewTask0("load", func(ctx context.Context) (string, error) {
		// A deadline bounds the wait.
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		release, err := runnel.Acquire(ctx, "memory", runnel.Occupy(8))
		if err != nil {
			return "", err
		}
		defer release()
		return "loaded", nil
	}, runnel.RetryIf(func(err error) bool { return !errors.Is(err, runnel.ErrInvalid) }))
	eng := begin(load)
	defer end(eng)
	for _, gigabytes := range []int{4, 16} {
		if err := eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "memory", Limit: gigabytes}); err != nil {
			log.Fatal(err)
		}
		fmt.Println(eng.Run(ctx, load.Send()))
	}
	// Output:
	//  global limit "memory" is 4, and 8 slots are wanted: they will never be free
	// loaded <nil>
}

func ExampleStrict() {
	lax := runnel.NewTask0("lax", func(ctx context.Context) (string, error) {
		_, err := runnel.Acquire(ctx, "databaze")
		return "not limited", err
	})
	strict := runnel.NewTask0("strict", func(ctx context.Context) (string, error) {
		_, err := runnel.Acquire(ctx, "databaze", runnel.Strict())
		return "not limited", err
	})
	eng := begin(lax, strict)
	defer end(eng)

	fmt.Println(eng.Run(ctx, lax.Send()))
	_, err := eng.Run(ctx, strict.Send())
	fmt.Println(errors.Is(err, runnel.ErrNotFound), err)
	// Output:
	// not limited <nil>
	// true no global limit is named "databaze", and Strict wants one
}

func ExampleEngine_Acquire() {
	eng := begin()
	defer end(eng)
	if err := eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "database", Limit: 1}); err != nil {
		log.Fatal(err)
	}

	// What is no task shares the limit with those that are.
	release, err := eng.Acquire(ctx, "database")
	if err != nil {
		log.Fatal(err)
	}
	soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = eng.Acquire(soon, "database")
	fmt.Println(errors.Is(err, runnel.ErrTimeout))
	release()
	_, err = eng.Acquire(ctx, "database")
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

func ExampleEngine_RateLimit() {
	eng := begin()
	defer end(eng)
	if err := eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "mails", Limit: 10}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(eng.RateLimit(ctx, "mails"), runnel.ErrInvalid)) // they would not come back
	if err := eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "mails", Limit: 10, Decay: 0.1}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(eng.RateLimit(ctx, "mails"))
	// Output:
	// true
	// <nil>
}

func ExampleEngine_GlobalLimits() {
	eng := begin()
	defer end(eng)
	limits := eng.GlobalLimits()
	for _, l := range []api.GlobalLimit{{Name: "mails", Limit: 10, Decay: 0.1}, {Name: "database", Limit: 5}} {
		if err := limits.Create(ctx, l); err != nil {
			log.Fatal(err)
		}
	}
	if err := eng.RateLimit(ctx, "mails", runnel.Occupy(3)); err != nil {
		log.Fatal(err)
	}
	if _, err := eng.Acquire(ctx, "database"); err != nil { // and nobody gives it back
		log.Fatal(err)
	}

	for l, err := range limits.List(ctx) {
		fmt.Println(l.Name, l.ActiveSlots, "of", l.Limit, "held by", len(l.Holders), "waiting", l.Waiting, err)
	}
	fmt.Println(limits.Reset(ctx, "database"), limits.SetActive(ctx, "database", false), limits.Delete(ctx, "mails"))
	l, err := limits.Read(ctx, "database")
	fmt.Println(l.ActiveSlots, l.Inactive, err)
	_, err = limits.Read(ctx, "mails")
	fmt.Println(errors.Is(err, runnel.ErrNotFound))
	// Output:
	// database 1 of 5 held by 1 waiting 0 <nil>
	// mails 3 of 10 held by 0 waiting 0 <nil>
	// <nil> <nil> <nil>
	// 0 true <nil>
	// true
}
