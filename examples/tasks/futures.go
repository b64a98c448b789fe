package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

var (
	sayHello    = runnel.NewTask1("say_hello", func(_ context.Context, name string) (string, error) { return "Hello " + name + "!", nil })
	printResult = runnel.NewTask1("print_result", func(_ context.Context, result string) (string, error) {
		return fmt.Sprintf("%T %s", result, result), nil
	})
	fails = runnel.NewTask0("fails", func(context.Context) (string, error) { return "", errors.New("no luck") })
	// It ends when it is told to.
	patient = runnel.NewTask0("patient", func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", context.Cause(ctx)
	}, runnel.Timeout(50*time.Millisecond))

	helloWorld = runnel.NewFlow0("hello-world", func(f runnel.Flow) (string, error) {
		return fmt.Sprintf("%T", sayHello.Submit(f, "Marvin")), nil
	})
	// What is given a future is given its value, once there is one.
	helloBind = runnel.NewFlow0("hello-flow", func(f runnel.Flow) (string, error) {
		return printResult.Bind(sayHello.Submit(f, "Marvin")).Call(f)
	})
	resultFlow = runnel.NewFlow0("result", func(f runnel.Flow) (string, error) {
		return sayHello.Submit(f, "Arthur").Result(f)
	})
	failedFlow = runnel.NewFlow0("failed", func(f runnel.Flow) (string, error) {
		_, err := fails.Submit(f).Result(f)
		return "the flow fails unless it does something about it", err
	})
	withoutRaising = runnel.NewFlow0("without_raising", func(f runnel.Flow) (string, error) {
		future := fails.Submit(f)
		out, err := future.Outcome(f)
		if err != nil {
			return "", err
		}
		state, err := future.State(f)
		return fmt.Sprintf("%s, the failure is a value: %s", state, out.Failure.Message), err
	})
	stateFlow = runnel.NewFlow0("state", func(f runnel.Flow) (api.State, error) {
		future := sayHello.Submit(f, "Trillian")
		if _, err := future.Result(f); err != nil {
			return 0, err
		}
		return future.State(f)
	})
	waitFlow = runnel.NewFlow0("wait", func(f runnel.Flow) (string, error) {
		future := patient.Submit(f)
		early, ended, err := future.Wait(f, time.Millisecond)
		if err != nil {
			return "", err
		}
		final, endedLater, err := future.Wait(f, time.Hour)
		return fmt.Sprintf("after 1 ms %s (ended: %t), in the end %s (%t)", early, ended, final, endedLater), err
	})
)

// a, b, c and d say in which order they ran.
var (
	order    = runnel.NewTask1("order", func(_ context.Context, name string) (string, error) { bodies.ran("order"); return name, nil })
	waitFors = runnel.NewFlow0("wait_for", func(f runnel.Flow) (string, error) {
		a, b := order.Submit(f, "a"), order.Submit(f, "b")
		c := upstream.Submit(f, "c", runnel.WaitFor(a, b))
		d := upstream.Submit(f, "d", runnel.WaitFor(c))
		ofC, err := c.Result(f)
		if err != nil {
			return "", err
		}
		ofD, err := d.Result(f)
		return ofC + "; " + ofD, err
	})
	// A body can read what it was to wait for.
	upstream = runnel.NewTask1("upstream", func(ctx context.Context, name string) (string, error) {
		var states []string
		for _, u := range runnel.TaskRun(ctx).Upstream {
			states = append(states, u.State.String())
		}
		return name + " after " + strings.Join(states, " and "), nil
	})
	notReady = runnel.NewFlow0("not_ready", func(f runnel.Flow) (string, error) {
		out, err := printResult.Bind(fails.Submit(f)).Submit(f).Outcome(f)
		return fmt.Sprint(errors.Is(out.Failure, runnel.ErrNotReady)), err
	})
)

var futures = []runnel.AnyTask{
	sayHello, printResult, fails, patient, helloWorld, helloBind, resultFlow, failedFlow, withoutRaising, stateFlow, waitFlow,
	order, waitFors, upstream, notReady,
}

var futureSnippets = []snippet{
	show("a call gives a future", helloWorld.Send()),
	show("a future as an argument", helloBind.Send()),
	show("result", resultFlow.Send()),
	{"result of a failure", func(ctx context.Context, eng *runnel.Engine) (any, error) {
		_, err := eng.Run(ctx, failedFlow.Send())
		return fmt.Sprintf("raised: %v", err), nil
	}},
	show("result without raising", withoutRaising.Send()),
	show("state", stateFlow.Send()),
	show("wait with a time-out", waitFlow.Send()),
	show("wait_for", waitFors.Send()),
	show("upstream did not complete", notReady.Send()),
}
