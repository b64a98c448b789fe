package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// Summary is how far a run is.
type Summary struct {
	ID    string                    `json:"id"`
	State string                    `json:"state" doc:"The run's"`
	Tasks map[string]api.TaskCounts `json:"tasks" doc:"By task name. Of a live run whose process can't be asked in time it is empty"`
	Total api.TaskCounts            `json:"total" doc:"Their sum"`
	Ended int64                     `json:"ended" doc:"Task runs that have ended"`
	Known int64                     `json:"known" doc:"Those, and what is known to be to come: what follows in a pipeline is not, before it comes"`
	ETA   int64                     `json:"eta_ms,omitempty" doc:"Milliseconds until what is known will have ended, if it goes on as it did on average so far; 0: nobody can tell"`
}

// enoughEnded is from how many ends on a guess is made of when all will have ended.
const enoughEnded = 10

// SummaryOf sums up a run.
func SummaryOf(r *api.Run, now time.Time) Summary {
	s := Summary{ID: r.ID, State: r.State.String(), Tasks: r.Tasks}
	if s.Tasks == nil {
		s.Tasks = map[string]api.TaskCounts{}
	}
	for _, c := range r.Tasks {
		s.Total.Add(c)
	}
	s.Ended = s.Total.Ended()
	s.Known = s.Ended + s.Total.Open()
	if took := now.Sub(r.Created); r.State == api.Running && s.Ended >= enoughEnded && took > 0 {
		s.ETA = int64(float64(took.Milliseconds()) / float64(s.Ended) * float64(s.Total.Open()))
	}
	return s
}

func (a *routes) summaryRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/runs/{id}/summary", "get-run-summary", "runs", "Read how far a run is: its task runs by task name and state"), a.getSummary)
}

func (a *routes) getSummary(ctx context.Context, in *RunPath) (*body[Summary], error) {
	run, err := a.svc().Status(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(SummaryOf(&run, a.now())), nil
}
