package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/runnel-dev/runnel"
)

// Two batches of two.
var (
	add      = runnel.NewTask2("add", func(_ context.Context, a, b int) (int, error) { return a + b, nil })
	batchAdd = runnel.NewFlow0("batch_add", func(f runnel.Flow) ([]int, error) {
		added, err := runnel.NewBatch(add, 2).Map(f, []int{1, 2, 3, 4}, []int{2, 3, 4, 5})
		if err != nil {
			return nil, err
		}
		return added.Results(f)
	})
)

// In Go the compiler refuses 1 + "2"; so the text fails when it is read.
var (
	addText = runnel.NewTask2("add_text", func(_ context.Context, a int, b string) (int, error) {
		bodies.ran("add_text")
		n, err := strconv.Atoi(b)
		return a + n, err
	})
	killFlow = runnel.NewFlow0("kill", func(f runnel.Flow) (string, error) {
		made, err := runnel.NewBatch(addText, 2, runnel.AnyFailed()).Map(f, []int{1, 2, 3, 4}, []string{"1", "two", "3", "4"})
		if !errors.Is(err, runnel.ErrKillSwitch) {
			return "", fmt.Errorf("the switch did not trip: %w", err)
		}
		return fmt.Sprintf("stopped after %d batch", (len(made.List())+1)/2), nil
	})
	// The same as a pipeline.
	killGroup = runnel.Value([]runnel.Pair[int, string]{{First: 1, Second: "1"}, {First: 2, Second: "two"}, {First: 3, Second: "3"}}).
			ContinueWith(runnel.Each(addText.Spread(), runnel.MaxParallelism(1), runnel.AnyFailed()))
)

var batches = []runnel.AnyTask{add, batchAdd, addText, killFlow}

var batchSnippets = []snippet{
	show("batch", batchAdd.Send()),
	show("kill switch", killFlow.Send()),
	{"kill switch of a pipeline", func(ctx context.Context, eng *runnel.Engine) (any, error) {
		_, err := eng.Run(ctx, killGroup)
		return errors.Is(err, runnel.ErrKillSwitch), nil
	}},
}
