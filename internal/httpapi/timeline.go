package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// Timeline is all task runs of a run in columns, which are a tenth of the size of as
// many objects. Times are milliseconds since T0; -1: there is none.
type Timeline struct {
	T0      int64    `json:"t0" doc:"Milliseconds since 1970: when the run was created"`
	State   string   `json:"state" doc:"The run's"`
	Names   []string `json:"names" doc:"Names of tasks, which name refers to"`
	States  []string `json:"states" doc:"Names of states, which state refers to"`
	Seq     []int64  `json:"seq"`
	Name    []int    `json:"name"`
	Of      []int    `json:"state_of" doc:"The task run's state"`
	Created []int64  `json:"created" doc:"When it could begin, as far as its history says"`
	Start   []int64  `json:"start"`
	End     []int64  `json:"end"`
	Attempt []int    `json:"attempt"`
	More    bool     `json:"more" doc:"There are more task runs than these"`
}

// maxTimeline is how many task runs a timeline has at most.
const maxTimeline = 200_000

type timelineInput struct {
	RunPath

	Match string `header:"If-None-Match"`
}

type timelineOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   *Timeline
}

func (a *routes) timelineRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/runs/{id}/timeline", "get-timeline", "runs", "Read when each task run of a run waited and ran, in columns"), a.timeline)
}

func (a *routes) timeline(ctx context.Context, in *timelineInput) (*timelineOutput, error) {
	run, err := a.svc().Status(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	tag := ""
	if run.State.Final() { // nothing changes any more, but by a retry
		tag = fmt.Sprintf(`"%d-%s"`, run.Generation, run.State)
		if in.Match == tag {
			return &timelineOutput{Status: http.StatusNotModified, ETag: tag}, nil
		}
	}
	l := Timeline{T0: run.Created.UnixMilli(), State: run.State.String(), Names: []string{}, States: []string{}}
	c := columns{Timeline: &l, names: map[string]int{}, states: map[string]int{}}
	for t, err := range a.svc().TaskRuns(ctx, api.TaskRunFilter{Run: in.ID, Limit: maxTimeline + 1}) {
		if err != nil {
			return nil, err
		}
		if len(l.Seq) == maxTimeline {
			l.More = true
			break
		}
		c.add(&t)
	}
	return &timelineOutput{Status: http.StatusOK, ETag: tag, Body: &l}, nil
}

// columns fills a timeline.
type columns struct {
	*Timeline

	names, states map[string]int
}

func (c *columns) add(t *api.TaskRun) {
	c.Seq = append(c.Seq, t.Seq)
	c.Name = append(c.Name, place(&c.Names, c.names, t.Task))
	c.Of = append(c.Of, place(&c.States, c.states, t.StateName))
	c.Attempt = append(c.Attempt, t.Attempt)
	created, start, end := int64(-1), int64(-1), int64(-1)
	if len(t.History) > 0 {
		created = t.History[0].Time.UnixMilli() - c.T0
	}
	if !t.Started.IsZero() {
		start = t.Started.UnixMilli() - c.T0
	}
	if !t.Finished.IsZero() {
		end = t.Finished.UnixMilli() - c.T0
	}
	c.Created, c.Start, c.End = append(c.Created, created), append(c.Start, start), append(c.End, end)
}

// place gives where a name is in a list, adding it if it is new.
func place(list *[]string, at map[string]int, name string) int {
	i, ok := at[name]
	if !ok {
		i = len(*list)
		at[name] = i
		*list = append(*list, name)
	}
	return i
}
