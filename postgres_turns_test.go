package runnel_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// gauge counts the bodies of all processes that run at a time, and in all.
type gauge struct {
	mu             sync.Mutex
	now, most, all int
}

// body is one that takes a moment.
func (g *gauge) body() {
	g.mu.Lock()
	g.all++
	g.now++
	g.most = max(g.most, g.now)
	g.mu.Unlock()
	<-time.After(20 * time.Millisecond)
	g.mu.Lock()
	g.now--
	g.mu.Unlock()
}

// Turns and slots of all kinds hold over two processes: one body makes the value of a
// cache key, those under a task id go one after the other and miss nothing of its
// state, and no more bodies hold slots of a global limit than there are.
func TestTurnsAndSlotsOfProcesses(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		var made, counted, slots gauge
		value := runnel.NewTask1("value", func(_ context.Context, x int) (int, error) {
			made.body()
			return x + 1, nil
		}, runnel.CacheKey(func(runnel.CallFacts) (string, error) { return "one", nil }))
		count := runnel.NewTask1("count", func(ctx context.Context, x int) (int, error) {
			counted.body()
			n, err := runnel.Keyed[int](ctx).Get()
			if err != nil {
				return 0, err
			}
			return n + 1, runnel.Keyed[int](ctx).Set(n + 1)
		}, runnel.TaskID("n"))
		hold := runnel.NewTask1("hold", func(ctx context.Context, x int) (int, error) {
			release, err := runnel.Acquire(ctx, "db")
			if err != nil {
				return 0, err
			}
			defer release()
			slots.body()
			return x, nil
		})
		var engines []*runnel.Engine
		for range 2 {
			engines = append(engines, process(t, dsn, runnel.Register(value, count, hold)))
		}
		do(t, engines[1].GlobalLimits().Create(t.Context(), api.GlobalLimit{Name: "db", Limit: 2}))
		var runs []*runnel.Run[int]
		for i := range 8 {
			for _, eng := range engines {
				for _, task := range []runnel.Pipeline[int]{value.Send(1), count.Send(i), hold.Send(i)} {
					run, err := eng.Submit(t.Context(), task)
					do(t, err)
					runs = append(runs, run)
				}
			}
		}
		last := 0 // of the state under the task id
		for i, run := range runs {
			n, err := run.Wait(t.Context())
			do(t, err)
			if i%3 == 1 {
				last = max(last, n)
			}
		}
		wants(t, "last state under the task id", last, 16)
		wants(t, "bodies of the value", []int{made.all, made.most}, []int{1, 1})
		wants(t, "bodies under the task id", []int{counted.all, counted.most}, []int{16, 1})
		if slots.all != 16 || slots.most > 2 {
			t.Errorf("%d bodies had slots, %d at a time; want 16, and 2", slots.all, slots.most)
		}
		for _, eng := range engines {
			l, err := eng.GlobalLimits().Read(t.Context(), "db")
			do(t, err)
			wants(t, "slots in the end", fmt.Sprint(l.Limit, l.ActiveSlots, l.Waiting), "2 0 0")
		}
	})
}
