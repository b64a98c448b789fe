package demo

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// zooQueues are those that are served; gpu is not.
func zooQueues() []string { return []string{"default", "mail"} }

// zooOperations are one that does what it should, and one that can't.
func zooOperations() []Operation {
	return []Operation{
		{"cancel", "no longer wanted", "the customers have changed their minds"},
		{"pause", "stock-check", "taking stock is over"}, // it has ended
	}
}

// seedZoo makes one of each kind.
func (d *Demo) seedZoo(ctx context.Context, eng *runnel.Engine, _ int) error {
	for _, step := range []func(context.Context, *runnel.Engine) error{
		zooLimits, d.zooEnded, d.zooFailed, d.zooCache, d.zooHolding, d.zooWaiting, d.zooStopped, d.zooSchedules,
	} {
		if err := step(ctx, eng); err != nil {
			return err
		}
	}
	return nil
}

func zooLimits(ctx context.Context, eng *runnel.Engine) error {
	for tag, n := range map[string]int{"scales": 1, "catalogue": 10, closedTag: 0} {
		if err := eng.Limits().Create(ctx, tag, n); err != nil {
			return err
		}
	}
	return errors.Join(
		eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "licence", Limit: 1}),
		eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "mails", Limit: 10, Decay: 0.01}),
		eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: "unused", Limit: 4, Inactive: true}),
		eng.RateLimit(ctx, "mails", runnel.Occupy(3)),
	)
}

// zooEnded is runs that went as they should, one of each way to compose them.
func (d *Demo) zooEnded(ctx context.Context, eng *runnel.Engine) error {
	sides := runnel.InParallel(runnel.List(
		d.reserve.Send("tea").ContinueWith(d.pack),
		d.reserve.Send("unicorn").ContinueWith(d.pack).Exceptionally(d.apologise),
		d.route.Send("honey"),
	), runnel.MaxParallelism(2)).FinallyDo(d.tidy.Send())
	return errors.Join(
		run(ctx, eng, d.order.Send("Ada", []string{"tea", "milk", "bread"})),
		run(ctx, eng, sides, runnel.Name("every kind of step")),
		run(ctx, eng, runnel.Settle(runnel.List(d.price.Send("tea"), d.price.Send("milk"))), runnel.Name("settled")),
		run(ctx, eng, d.chat.Send("Ada")),
		run(ctx, eng, d.pack.Send(Count{"postcard", 2}).Set(runnel.Queue("mail"), runnel.Priority(10)), runnel.Name("by mail")),
		d.seedFanout(ctx, eng, 2000),
	)
}

// zooFailed is runs that did not complete.
func (d *Demo) zooFailed(ctx context.Context, eng *runnel.Engine) error {
	batch := runnel.Value(catalogue).ContinueWith(runnel.Each(d.pay, runnel.AnyFailed()))
	return errors.Join(
		run(ctx, eng, d.pay.Send("1234").ContinueWith(d.chat)),
		run(ctx, eng, d.late.Send()),
		run(ctx, eng, d.broken.Send()),
		run(ctx, eng, d.strange.Send()),
		run(ctx, eng, d.order.Send("Bob", []string{"tea", "unicorn"})),
		run(ctx, eng, batch, runnel.Name("stopped by a kill switch")),
		run(ctx, eng, d.price.Send("tea").Set(runnel.Tags(closedTag)), runnel.Name("limit of 0")),
	)
}

// zooCache leaves entries, and task runs that took them.
func (d *Demo) zooCache(ctx context.Context, eng *runnel.Engine) error {
	return errors.Join(
		run(ctx, eng, d.rate.Send("EUR")),
		run(ctx, eng, d.rate.Send("USD")),
		run(ctx, eng, d.rate.Send("EUR"), runnel.Name("rate, cached")),
	)
}

// submit makes a run of the name.
type submit func(ctx context.Context, eng *runnel.Engine, name string) (id string, err error)

func of[R any](p runnel.Runnable[R]) submit {
	return func(ctx context.Context, eng *runnel.Engine, name string) (string, error) {
		r, err := eng.Submit(ctx, p, runnel.Name(name))
		if err != nil {
			return "", err
		}
		return r.ID(), nil
	}
}

// zooHolding is what others wait for: it runs until the server ends.
func (d *Demo) zooHolding(ctx context.Context, eng *runnel.Engine) error {
	for _, h := range []struct {
		what  runnel.Pipeline[string]
		state string
	}{
		{d.weigh.Send("melons").ContinueWith(d.approve), "Running"},
		{d.licensed.Send("first"), "Running"},
		{d.slowRate.Send("XAU"), "Running"},
		{d.deliver.Send("by hand").Set(runnel.TaskID("the only van")), "Running"},
		{d.deliver.Send(flatTyre), "Retrying"},
	} {
		r, err := eng.Submit(ctx, h.what)
		if err != nil {
			return err
		}
		if err := errors.Join(d.holding(ctx, 1), shown(ctx, eng, r.ID(), h.state)); err != nil {
			return err
		}
	}
	return nil
}

// zooWaiting is a run for each reason to wait.
func (d *Demo) zooWaiting(ctx context.Context, eng *runnel.Engine) error {
	someday := time.Now().Add(never)
	melons := slices.Repeat([]string{"melon"}, 2000)
	for _, w := range []struct {
		name  string
		what  submit
		waits api.WaitingKind
		holds int // how many bodies begin first
	}{
		{"waits for slots", of(d.weigh.Send("plums")), api.WaitsForSlots, 0},
		{"waits for a global limit", of(d.licensed.Send("second")), api.WaitsForLimit, 0},
		{"waits for the same cache key", of(d.slowRate.Send("XAU")), api.WaitsForCache, 0},
		{"waits for its task id", of(d.deliver.Send("too").Set(runnel.TaskID("the only van"))), api.WaitsForTaskID, 0},
		{"waits for a queue", of(d.deliver.Send("a model").Set(runnel.Queue("gpu"))), api.WaitsForQueue, 0},
		{"waits for its time", of(d.deliver.Send("someday").Set(runnel.StartAt(someday))), api.WaitsForTime, 0},
		{"waits for its next attempt", of(d.pay.Send("5678").Set(runnel.Retries(2), runnel.RetryDelay(never))), api.WaitsForBackoff, 0},
		{"waits for an answer", of(d.approve.Send("a discount")), api.WaitsForAnswer, 0},
		{"waits for others", of(d.later.Send("a sofa")), api.WaitsForOthers, 1},
		{"waits for parallelism", of(runnel.Each(d.deliver, runnel.MaxParallelism(2)).WithInitial(catalogue)), api.WaitsForParallelism, 2},
		{"waits for room", of(runnel.Each(d.weigh).WithInitial(melons)), api.WaitsForRoom, 0},
	} {
		id, err := w.what(ctx, eng, w.name)
		if err != nil {
			return err
		}
		if err := d.holding(ctx, w.holds); err != nil {
			return err
		}
		if err := until(ctx, eng, id, w.waits); err != nil {
			return err
		}
	}
	return nil
}

// zooStopped is what somebody has paused, cancelled, or retried.
func (d *Demo) zooStopped(ctx context.Context, eng *runnel.Engine) error {
	for range 3 { // which an operation cancels
		if _, err := of(d.weigh.Send("figs"))(ctx, eng, "no longer wanted"); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		name  string
		what  submit
		do    func(context.Context, string) error
		waits api.WaitingKind // "": it ends
		holds int
	}{
		{"paused", of(d.weigh.Send("pears")), eng.Pause, api.WaitsForResume, 0},
		{"cancelling", of(d.stubborn.Send()), eng.Cancel, api.WaitsForCancel, 1},
		{"cancelled", of(d.deliver.Send("nothing").FinallyDo(d.tidy.Send())), eng.Cancel, "", 1},
		{"retried", of(d.pay.Send("9999")), func(ctx context.Context, id string) error {
			return errors.Join(ended(ctx, eng, id), eng.Retry(ctx, id))
		}, "", 0},
	} {
		id, err := s.what(ctx, eng, s.name)
		if err != nil {
			return err
		}
		if err := errors.Join(d.holding(ctx, s.holds), s.do(ctx, id)); err != nil {
			return err
		}
		if s.waits == "" {
			err = ended(ctx, eng, id)
		} else {
			err = until(ctx, eng, id, s.waits)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// zooSchedules is a schedule that has made runs, one that is paused, and one whose run
// does not end.
func (d *Demo) zooSchedules(ctx context.Context, eng *runnel.Engine) error {
	s := eng.Schedules()
	nightly := d.stockList.Send(20).ContinueWith(runnel.Each(d.stockCheck)).ContinueWith(d.stockReport)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	err := errors.Join(
		s.Create(ctx, "stock-nightly", runnel.Cron("30 2 * * *").In("Europe/Berlin"), nightly, runnel.Tags("night")),
		s.Create(ctx, "invoices-monthly", runnel.Cron("0 9 1 * *"), d.order.Send("Ada", []string{"tea"})),
		s.Create(ctx, "deliveries", runnel.Every(never), d.deliver.Send("the daily round"), runnel.Overlap(api.OverlapQueue)),
		s.Pause(ctx, "invoices-monthly"),
	)
	if err != nil {
		return err
	}
	if _, err := s.Backfill(ctx, "stock-nightly", today.AddDate(0, 0, -5), today); err != nil {
		return err
	}
	round, err := s.Trigger(ctx, "deliveries")
	if err != nil {
		return err
	}
	if err := errors.Join(d.holding(ctx, 1), shown(ctx, eng, round, "Running")); err != nil {
		return err
	}
	made, err := s.Read(ctx, "stock-nightly")
	if err != nil {
		return err
	}
	for _, r := range made.Last {
		if err := ended(ctx, eng, r.Run); err != nil {
			return err
		}
	}
	return nil
}

// ended waits for the end of a run, whatever it is.
func ended(ctx context.Context, eng *runnel.Engine, id string) error {
	r, err := eng.Attach[any](ctx, id)
	if err != nil {
		return err
	}
	_, _ = r.Wait(ctx) // some are to fail
	return context.Cause(ctx)
}

// until waits until a run waits for something. Nobody tells that: what waits is not
// stored.
func until(ctx context.Context, eng *runnel.Engine, id string, kind api.WaitingKind) error {
	return looking(ctx, func() (bool, error) {
		w, err := eng.Why(ctx, id)
		return w.Kind == kind || w.Counts[kind] > 0, err
	})
}

// shown waits until a task run of a run is listed in a state: that a body runs is
// stored a moment after it has begun.
func shown(ctx context.Context, eng *runnel.Engine, id, state string) error {
	return looking(ctx, func() (bool, error) {
		for t, err := range eng.TaskRuns(ctx, api.TaskRunFilter{Run: id}) {
			if err != nil || t.StateName == state {
				return true, err
			}
		}
		return false, nil
	})
}

// looking looks until there is what is looked for.
func looking(ctx context.Context, found func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := found(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
