package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// ListedRun is a run in a list.
type ListedRun struct {
	api.Run

	Why string `json:"why,omitempty" doc:"With why=true: what it waits for, in a sentence, if it has not ended and no body of it runs. Absent as well if its process does not say so within a second"`
}

const (
	// whyTime is for how long a list waits to hear what its runs wait for.
	whyTime = time.Second
	// whyAtOnce is of how many runs that is asked at a time: other processes have some.
	whyAtOnce = 8
	// whyRunning is how many task runs that run may all be flows that wait. Of runs with
	// more it is taken that a body runs.
	whyRunning = 16
)

// mayWait reports whether a run may have nothing that runs.
func mayWait(r *api.Run) bool {
	var all api.TaskCounts
	for _, c := range r.Tasks {
		all.Add(c)
	}
	return !r.State.Final() && all.Running <= whyRunning
}

// tellWhy says of runs what they wait for. What each costs has a bound, however large it is.
func (a *routes) tellWhy(ctx context.Context, runs []ListedRun) {
	ctx, cancel := context.WithTimeout(ctx, whyTime)
	defer cancel()
	var asked sync.WaitGroup
	places := make(chan struct{}, whyAtOnce)
	for i := range runs {
		r := &runs[i]
		if !mayWait(&r.Run) {
			continue
		}
		places <- struct{}{}
		asked.Go(func() {
			defer func() { <-places }()
			if w, err := a.svc().Why(ctx, r.ID); err == nil && w.Running == 0 { // else it has ended, or does not wait
				r.Why = w.String()
			}
		})
	}
	asked.Wait()
}
