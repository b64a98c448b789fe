package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/runnel-dev/runnel"
)

// Arithmetic.
var (
	multiply = runnel.NewTask2("multiply", func(_ context.Context, x, y float64) (float64, error) { return x * y, nil })
	subtract = runnel.NewTask2("subtract", func(_ context.Context, x, y float64) (float64, error) { return x - y, nil })
	add      = runnel.NewTask2("add", func(_ context.Context, x, y float64) (float64, error) { return x + y, nil })
	divide   = runnel.NewTask2("divide", func(_ context.Context, x, by float64) (float64, error) {
		if by == 0 {
			return 0, errors.New("division by zero")
		}
		return x / by, nil
	})
	average = runnel.NewTask1("average", func(_ context.Context, values []float64) (float64, error) {
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum / float64(len(values)), nil
	})
)

// State: a number that one task leaves for others down the pipeline.
var (
	multiplyAndSet = runnel.NewTask2("multiply_and_set", func(ctx context.Context, x, y float64) (float64, error) {
		return x * y, runnel.State[float64](ctx).Set(10)
	})
	addState = runnel.NewTask1("add_state", func(ctx context.Context, x float64) (float64, error) {
		state, err := runnel.State[float64](ctx).Get()
		return x + state, err
	})
)

// Failures: a and c fail, b and d make the best of it, e runs in any case.
var (
	handleError = runnel.NewTask1("handle_error", func(context.Context, *runnel.Failure) (float64, error) { return -1, nil })
	cleanup     = runnel.NewTask0("cleanup", func(context.Context) (runnel.None, error) { return runnel.None{}, nil })

	a = runnel.NewTask0("a", func(context.Context) (string, error) { return "", errors.New("a failed") })
	b = runnel.NewTask1("b", func(_ context.Context, f *runnel.Failure) (string, error) { return f.Message + ", b helped", nil })
	c = runnel.NewTask1("c", func(_ context.Context, s string) (string, error) { return "", errors.New(s + ", c failed") })
	d = runnel.NewTask1("d", func(_ context.Context, f *runnel.Failure) (string, error) { return f.Message + ", d helped", nil })
	e = runnel.NewTask0("e", func(context.Context) (runnel.None, error) { return runnel.None{}, nil })
)

// Orchestrators return a pipeline that takes their place.
var (
	multiplyAndSubtract = runnel.NewOrchestrator3("multiply_and_subtract",
		func(_ context.Context, x, y, z float64) (runnel.Runnable[float64], error) {
			return multiply.Send(x, y).ContinueWith(subtract.With(z)), nil
		})
	addPositive = runnel.NewOrchestrator2("add_positive", func(_ context.Context, x, y float64) (runnel.Runnable[float64], error) {
		return add.Send(x, y).ContinueWith(makePositive), nil
	})
	makePositive = runnel.NewOrchestrator1("make_positive", func(_ context.Context, x float64) (runnel.Runnable[float64], error) {
		if x > 0 {
			return runnel.Value(x), nil // either a value
		}
		return multiply.Send(x, -1), nil // or another pipeline
	})
	countTo100 = runnel.NewOrchestrator1("count_to_100", func(_ context.Context, x float64) (runnel.Runnable[float64], error) {
		return add.Send(x, 1).ContinueWith(checkResult), nil
	})
	checkResult = runnel.NewOrchestrator1("check_result", func(_ context.Context, x float64) (runnel.Runnable[float64], error) {
		if x == 100 {
			return runnel.Value(x), nil
		}
		return runnel.Ref1[float64, float64]("count_to_100").Send(x), nil // by its name: it is declared with this one
	})
	isolated = runnel.NewOrchestrator1("isolated", func(_ context.Context, x float64) (runnel.Runnable[float64], error) {
		return runnel.Value(x).ContinueWith(addState), nil // with a state of its own, which is empty
	})
	inline = runnel.NewOrchestrator1("inline", func(_ context.Context, x float64) (runnel.Runnable[float64], error) {
		return runnel.Value(x).ContinueWith(addState).Inline(), nil // with the state of who called it
	})
)

// Combined tasks: two tasks that run as one, on one worker. What flows between
// them is a reader, which is in memory only.
var (
	download = runnel.NewTask1("download", func(_ context.Context, key string) (io.Reader, error) {
		return strings.NewReader("the contents of " + key), nil
	})
	upload = runnel.NewTask2("upload", func(_ context.Context, from io.Reader, bucket string) (string, error) {
		text, err := io.ReadAll(from)
		return fmt.Sprintf("%s: %s", bucket, text), err
	})
	migrate   = runnel.Combine("migrate", download, upload.With("gcs"))
	migrateTo = runnel.Combine2("migrate_to", download, upload)
	migrateUp = runnel.CombineVia("migrate_up", download, upper, upload.With("gcs"))
)

// upper is what migrateUp does between the two.
func upper(_ context.Context, from io.Reader) (io.Reader, error) {
	text, err := io.ReadAll(from)
	return strings.NewReader(strings.ToUpper(string(text))), err
}

var tasks = runnel.Register(multiply, subtract, add, divide, average, multiplyAndSet, addState, handleError, cleanup,
	a, b, c, d, e, multiplyAndSubtract, addPositive, makePositive, countTo100, checkResult, isolated, inline,
	migrate, migrateTo, migrateUp)
