package demo

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// shape is something to seed.
type shape struct {
	name       string
	n          int
	most       int // 0: it takes no number
	short      string
	last       int      // 1: it leaves no place for others
	queues     []string // that the engine is to serve; nil: all
	operations []Operation
	seed       func(d *Demo, ctx context.Context, eng *runnel.Engine, n int) error
}

// shapes are all there are. The number of one is what it is if none is given.
func shapes() []shape {
	return []shape{
		{name: "fanout", n: 1000, most: 1_000_000, short: "one run with so many task runs at the same time, some of which fail", seed: (*Demo).seedFanout},
		{name: "deep", n: 100, most: 10_000, short: "one run with so many steps, one after the other", seed: (*Demo).seedDeep},
		{name: "mixed", n: 100, most: 100_000, short: "so many runs that ended in different ways", seed: (*Demo).seedMixed},
		{name: "busy", n: 300, most: 10_000, short: "so many task runs that do not end, so that others wait for a worker", last: 1, seed: (*Demo).seedBusy},
		{name: "zoo", short: "a run for each state and each reason to wait, limits, schedules, cached results", queues: zooQueues(), operations: zooOperations(), seed: (*Demo).seedZoo},
	}
}

// Shapes says what can be seeded, a line for each.
func Shapes() string {
	var b strings.Builder
	for _, s := range shapes() {
		name := s.name
		if s.most > 0 {
			name += ":N"
		}
		fmt.Fprintf(&b, "  %-9s  %s\n", name, s.short)
	}
	return b.String()
}

func parse(text string) (shape, error) {
	name, number, given := strings.Cut(text, ":")
	for _, s := range shapes() {
		if s.name != name {
			continue
		}
		if !given {
			return s, nil
		}
		n, err := strconv.Atoi(number)
		switch {
		case s.most == 0:
			return s, api.Errorf(api.ErrInvalid, "", "%q: %s takes no number", text, name)
		case err != nil || n < 1 || n > s.most:
			return s, api.Errorf(api.ErrInvalid, "", "%q: want %s:N with N from 1 to %d", text, name, s.most)
		}
		s.n = n
		return s, nil
	}
	return shape{}, api.Errorf(api.ErrInvalid, "", "%q is nothing to seed: want one of\n%s", text, strings.TrimRight(Shapes(), "\n"))
}

// seedFanout is one wide run: of a thousand items one fails, and another one is
// tried again.
func (d *Demo) seedFanout(ctx context.Context, eng *runnel.Engine, n int) error {
	p := d.stockList.Send(n).
		ContinueWith(runnel.Each(d.stockCheck.With().Exceptionally(d.stockMissing))).
		ContinueWith(d.stockReport)
	return run(ctx, eng, p, runnel.Name("stock-check"))
}

// seedDeep is one long run.
func (d *Demo) seedDeep(ctx context.Context, eng *runnel.Engine, n int) error {
	p := d.interest.Send(1)
	for range n - 1 {
		p = p.ContinueWith(d.interest)
	}
	return run(ctx, eng, p, runnel.Name("interest"))
}

// seedMixed is orders: of each ten, one fails, and one is cancelled. They are made
// and waited for a part at a time.
func (d *Demo) seedMixed(ctx context.Context, eng *runnel.Engine, n int) error {
	const part = 500
	for from := 0; from < n; from += part {
		orders := func(yield func(runnel.Runnable[string]) bool) {
			for i := from; i < min(from+part, n); i++ {
				if !yield(d.orderOf(i)) {
					return
				}
			}
		}
		if err := runAll(ctx, eng, orders); err != nil {
			return err
		}
	}
	return nil
}

// orderOf is the order with a number, as a pipeline.
func (d *Demo) orderOf(i int) runnel.Pipeline[string] {
	item := catalogue[i%len(catalogue)]
	switch i % 10 {
	case 3:
		return d.reserve.Send("unicorn").ContinueWith(d.pack)
	case 6:
		return d.reserve.Send(item).Set(runnel.Tags(closedTag)).ContinueWith(d.pack)
	case 9:
		return d.reserve.Send("unicorn").ContinueWith(d.pack).Exceptionally(d.apologise)
	}
	return d.reserve.Send(item).ContinueWith(d.pack)
}

// closedTag has a limit of 0 with mixed and zoo: what has it is cancelled.
const closedTag = "closed"

func runAll(ctx context.Context, eng *runnel.Engine, pipelines iter.Seq[runnel.Runnable[string]]) error {
	if err := eng.Limits().Create(ctx, closedTag, 0); err != nil {
		return err
	}
	runs, err := eng.SubmitAll(ctx, pipelines)
	if err != nil {
		return err
	}
	for _, r := range runs {
		_, _ = r.Wait(ctx) // some are to fail
	}
	return context.Cause(ctx)
}

// seedBusy is one run that takes all places of the engine, if it has fewer than n.
func (d *Demo) seedBusy(ctx context.Context, eng *runnel.Engine, n int) error {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("truck %d", i+1)
	}
	if _, err := eng.Submit(ctx, runnel.Each(d.deliver).WithInitial(names), runnel.Name("deliveries")); err != nil {
		return err
	}
	return d.holding(ctx, 1)
}

// run runs a pipeline to its end, however it ends.
func run[R any](ctx context.Context, eng *runnel.Engine, p runnel.Runnable[R], opts ...runnel.SubmitOption) error {
	r, err := eng.Submit(ctx, p, opts...)
	if err != nil {
		return err
	}
	_, _ = r.Wait(ctx) // some are to fail
	return context.Cause(ctx)
}
