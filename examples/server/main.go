// Command server is a program with tasks and Runnel's command line: it is server,
// worker and client in one.
//
//	go run ./examples/server dev
//	go run ./examples/server --server http://127.0.0.1:7733 run start report 12 --watch
package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/cli"
)

// Row is what a table has.
type Row struct {
	ID    int     `json:"id"`
	Price float64 `json:"price"`
}

var (
	// fetch uses a database that can take so many at a time: see the tag.
	fetch = runnel.NewTask1("fetch", func(ctx context.Context, id int) (Row, error) {
		runnel.Logger(ctx).Info("fetching", "id", id)
		if err := pass(ctx, time.Duration(50+rand.IntN(100))*time.Millisecond); err != nil {
			return Row{}, err
		}
		return Row{ID: id, Price: float64(id) * 1.5}, nil
	}, runnel.Tags("db"), runnel.Retries(2), runnel.Description("Reads a row."))

	total = runnel.NewTask1("total", func(_ context.Context, rows []Row) (float64, error) {
		sum := 0.0
		for _, r := range rows {
			sum += r.Price
		}
		return sum, nil
	}, runnel.Description("Adds up prices."))

	report = runnel.NewFlow1("report", func(f runnel.Flow, rows int) (string, error) {
		ids := make([]int, rows)
		for i := range ids {
			ids[i] = i + 1
		}
		sum, err := total.Bind(fetch.Map(f, ids)).Call(f)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d rows, %.2f in all", rows, sum), nil
	}, runnel.Description("Reads so many rows, at the same time, and adds them up."))

	broken = runnel.NewTask0("broken", func(ctx context.Context) (string, error) {
		runnel.Logger(ctx).Warn("this one always fails")
		return "", fmt.Errorf("no such table")
	}, runnel.Description("Fails, to see what that looks like."))
)

// pass lets time go by.
func pass(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func main() { cli.Main(runnel.Register(fetch, total, report, broken)) }
