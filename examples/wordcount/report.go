package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// progress shows how far the run is until it is stopped.
type progress struct{ quit, done chan struct{} }

// follow shows progress in place on a terminal, and as plain lines, fewer of
// them, elsewhere.
func follow(ctx context.Context, run *runnel.Run[Tally]) *progress {
	p := &progress{make(chan struct{}), make(chan struct{})}
	every, format, end := time.Second, "%s\n", ""
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		every, format, end = 100*time.Millisecond, "\r%s\x1b[K", "\r\x1b[K"
	}
	go func() {
		defer close(p.done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-p.quit:
				fmt.Print(end)
				return
			}
			if now, err := run.Status(ctx); err == nil {
				fmt.Printf(format, fmt.Sprintf("%d files counted, %d folders added up, %d retries",
					now.Tasks["count"].Completed, now.Tasks["add"].Completed, now.Tasks["count"].Retries))
			}
		}
	}()
	return p
}

func (p *progress) stop() {
	close(p.quit)
	<-p.done
}

// report prints the answer, and how long it took. Done before are the task runs
// of the processes before this one.
func report(tally Tally, run api.Run, before int64, took time.Duration) {
	fmt.Printf("files=%d words=%d\n", tally.Files, tally.Words)
	words := slices.SortedFunc(maps.Keys(tally.Count), func(a, b string) int {
		return cmp.Or(cmp.Compare(tally.Count[b], tally.Count[a]), cmp.Compare(a, b))
	})
	for _, word := range words[:min(20, len(words))] {
		fmt.Printf("%d %s\n", tally.Count[word], word)
	}
	ran := taskRuns(run) - before
	fmt.Printf("time %.2fs, %d task runs, %.0f/s, %d retries\n",
		took.Seconds(), ran, float64(ran)/took.Seconds(), run.Tasks["count"].Retries)
}

// taskRuns is how many task runs of a run have ended.
func taskRuns(run api.Run) (n int64) {
	for _, task := range run.Tasks {
		n += task.Completed + task.Failed + task.Cancelled
	}
	return n
}
