package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/runnel-dev/runnel"
)

// never is when what is to be seen waiting goes on.
const never = 1000 * time.Hour

// flatTyre is what is delivered in the second attempt only.
const flatTyre = "with a flat tyre"

func (t *tasks) declareHolding(d *Demo) {
	t.deliver = runnel.NewTask1("deliver", func(ctx context.Context, what string) (string, error) {
		if what == flatTyre && runnel.TaskRun(ctx).Attempt == 1 {
			return "", errors.New("a flat tyre")
		}
		return d.hold(ctx, what)
	}, runnel.Retries(1), runnel.RetryDelay(time.Millisecond), runnel.Description("Is under way until the server ends."))
	t.weigh = runnel.NewTask1("weigh", d.hold, runnel.Tags("scales"), runnel.Description("Needs the scales, until the server ends."))
	t.stubborn = runnel.NewTask0("stubborn", func(ctx context.Context) (string, error) {
		return d.hold(context.WithoutCancel(ctx), "stubborn") // as bodies should not
	}, runnel.Description("Does not end when it is told to."))
	t.approve = runnel.NewTask1("approve", func(ctx context.Context, _ string) (string, error) {
		token, err := runnel.Token(ctx)
		if err != nil {
			return "", err
		}
		runnel.Logger(ctx).Info("answer with: runnel task send TOKEN --result '\"yes\"'", "token", token)
		return "", runnel.Pending
	}, runnel.Description("Waits for somebody to say yes."))
	t.licensed = runnel.NewTask1("licensed", func(ctx context.Context, what string) (string, error) {
		release, err := runnel.Acquire(ctx, "licence")
		if err != nil {
			return "", err
		}
		defer release()
		return d.hold(ctx, what)
	}, runnel.Description("Needs the licence, until the server ends."))
	t.slowRate = runnel.NewTask1("slow_rate", d.hold, runnel.CacheBy(runnel.ByInputs), runnel.Description("Looks up a rate that never comes."))
	t.later = runnel.NewFlow1("later", func(f runnel.Flow, item string) (string, error) {
		return t.apologise.Bind(runnel.Value(&runnel.Failure{Message: item})).Submit(f, runnel.WaitFor(t.deliver.Submit(f, item))).Result(f)
	}, runnel.Description("Writes when a delivery has come."))
}

func (t *tasks) declareFailing() {
	t.pay = runnel.NewTask1("pay", func(ctx context.Context, card string) (string, error) {
		runnel.Logger(ctx).Warn("the bank does not answer", "card", card, "attempt", runnel.TaskRun(ctx).Attempt)
		return "", fmt.Errorf("card %s: %w", card, errors.New("connection refused"))
	}, runnel.Retries(2), runnel.RetryDelay(time.Millisecond), runnel.Description("Fails at each attempt."))
	t.late = runnel.NewTask0("late", func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", context.Cause(ctx)
	}, runnel.Timeout(20*time.Millisecond), runnel.Description("Takes longer than it may."))
	t.broken = runnel.NewTask0("broken", func(context.Context) (string, error) {
		_, rest, _ := strings.Cut(catalogue[0], "no such letter")
		return rest[:1], nil // panics
	}, runnel.Description("Panics."))
	t.strange = runnel.NewTask0("strange", func(context.Context) (string, error) {
		return "", errors.New("<img src=x onerror=alert(1)>\nsecond line\n\x1b[31mred\x1b[0m: " +
			"the server said that the basket with the number 12 is not one that can be sent to where the customer lives, and that it will not change its mind")
	}, runnel.Description("Fails with a text that nobody should trust."))
}
