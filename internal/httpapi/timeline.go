package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// Timeline is the task runs of a run in columns, which are a tenth of the size of as
// many objects. Times are milliseconds since T0, with fractions if the run is not older
// than a minute; -1: there is none.
type Timeline struct {
	T0      int64     `json:"t0" doc:"Milliseconds since 1970: when the run was created"`
	Now     float64   `json:"now" doc:"When this was read"`
	State   string    `json:"state" doc:"The run's"`
	Names   []string  `json:"names" doc:"Names of tasks, which name refers to"`
	States  []string  `json:"states" doc:"Names of states, which state_of and turn_state refer to"`
	Kinds   []string  `json:"kinds" doc:"Kinds of waiting, which waits refers to; the first is none"`
	Seq     []int64   `json:"seq"`
	Name    []int     `json:"name"`
	Of      []int     `json:"state_of" doc:"The task run's state"`
	Created []float64 `json:"created" doc:"When it could begin, as far as is known: after the last that it depends on, or when the first of its group began"`
	Start   []float64 `json:"start"`
	End     []float64 `json:"end"`
	Attempt []int     `json:"attempt"`
	Waits   []int     `json:"waits" doc:"What it waits for now"`
	Workers []string  `json:"workers" doc:"Names of workers, which worker refers to; the first is none"`
	Worker  []int     `json:"worker" doc:"On which its body began last"`
	// The states between start and end of those with several attempts.
	TurnSeq   []int64         `json:"turn_seq" doc:"Whose turn from one state to another, in order: of those with more than one attempt"`
	TurnAt    []float64       `json:"turn_at"`
	TurnState []int           `json:"turn_state"`
	More      bool            `json:"more" doc:"There are more task runs than these"`
	Limits    []TimelineLimit `json:"limits,omitempty" doc:"What bounds how many bodies are in progress, as of when all of it was read: absent of what is new only"`
	// Generation tells one that adds what is new to what it has that it must begin anew.
	Generation int `json:"generation" doc:"How often the run was retried: with another, what was read before no longer holds"`
}

// maxTimeline is how many task runs a timeline has at most.
const maxTimeline = 200_000

// TimelineQuery chooses what one lacks that has read the others before.
type TimelineQuery struct {
	From  int64 `query:"from" minimum:"0" doc:"Only task runs with this number or higher"`
	Since int64 `query:"since" default:"-1" minimum:"-1" doc:"Leave out those that ended before: milliseconds since t0. Give a little less than the last answer's now"`
}

type timelineInput struct {
	RunPath
	TimelineQuery

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
		tag = fmt.Sprintf(`"%d-%s-%d-%d"`, run.Generation, run.State, in.From, in.Since)
		if in.Match == tag {
			return &timelineOutput{Status: http.StatusNotModified, ETag: tag}, nil
		}
	}
	c := newColumns(&run, a.now())
	filter := api.TaskRunFilter{Run: in.ID}
	if in.From > 0 {
		filter.After = fmt.Sprintf("%s/%d", in.ID, in.From-1)
	}
	for t, err := range a.svc().TaskRuns(ctx, filter) {
		if err != nil {
			return nil, err
		}
		if !t.Finished.IsZero() && c.ms(t.Finished) < float64(in.Since) {
			continue
		}
		if len(c.Seq) == maxTimeline {
			c.More = true
			break
		}
		c.add(&t)
	}
	c.settle()
	if in.From == 0 && in.Since < 0 {
		if c.Limits, err = a.limits(ctx, in.ID, c.tags); err != nil {
			return nil, err
		}
	}
	return &timelineOutput{Status: http.StatusOK, ETag: tag, Body: c.Timeline}, nil
}

// columns fills a timeline.
type columns struct {
	*Timeline

	names, states, kinds, workers map[string]int
	zero                          time.Time
	grain                         time.Duration
	ended                         map[string]float64 // by task run's id, of those in it
	first                         map[family]float64 // when the first child of a group began
	families                      []family           // of each task run in it
	tags                          map[string]bool    // of task runs in it
	late                          []dependency       // on such as come later in the list
}

// dependency is one of the task run at a place on another.
type dependency struct {
	at int
	on string
}

// family is what children of a group have in common: of a group of n, the child with
// index i has the number i after that of the first.
type family struct {
	name  int
	first int64
}

// fine is how long a run's times are given to the microsecond. After that tasks so short
// are too many for a list of this length.
const fine = time.Minute

func newColumns(run *api.Run, now time.Time) *columns {
	t0 := run.Created.UnixMilli()
	c := &columns{
		Timeline: &Timeline{
			T0: t0, State: run.State.String(), Generation: run.Generation,
			Names: []string{}, States: []string{}, Kinds: []string{""}, Workers: []string{""}, Worker: []int{},
			Seq: []int64{}, Name: []int{}, Of: []int{}, Created: []float64{}, Start: []float64{}, End: []float64{}, Attempt: []int{}, Waits: []int{},
			TurnSeq: []int64{}, TurnAt: []float64{}, TurnState: []int{},
		},
		names: map[string]int{}, states: map[string]int{}, kinds: map[string]int{"": 0}, workers: map[string]int{"": 0},
		zero: time.UnixMilli(t0), grain: time.Microsecond, ended: map[string]float64{}, first: map[family]float64{}, tags: map[string]bool{},
	}
	end := run.Finished
	if end.IsZero() {
		end = now
	}
	if end.Sub(run.Created) > fine {
		c.grain = time.Millisecond
	}
	c.Now = max(c.ms(now), 0)
	return c
}

// ms gives a time as the columns have it.
func (c *columns) ms(t time.Time) float64 {
	if t.IsZero() {
		return -1
	}
	return float64(t.Sub(c.zero).Truncate(c.grain)) / float64(time.Millisecond)
}

func (c *columns) add(t *api.TaskRun) {
	for _, tag := range t.Tags {
		c.tags[tag] = true
	}
	name := place(&c.Names, c.names, t.Task)
	c.Seq = append(c.Seq, t.Seq)
	c.Name = append(c.Name, name)
	c.Of = append(c.Of, place(&c.States, c.states, t.StateName))
	c.Attempt = append(c.Attempt, t.Attempt)
	kind := ""
	if t.Waiting != nil {
		kind = string(t.Waiting.Kind)
	}
	c.Waits = append(c.Waits, place(&c.Kinds, c.kinds, kind))
	c.Worker = append(c.Worker, place(&c.Workers, c.workers, t.Worker))
	created, start, end := c.ready(t), c.ms(t.Started), c.ms(t.Finished)
	if end >= 0 {
		c.ended[t.ID] = end
	}
	c.Created, c.Start, c.End = append(c.Created, created), append(c.Start, start), append(c.End, end)
	f := family{name: -1}
	if t.Index >= 0 && len(t.Upstream) == 0 {
		f = family{name: name, first: t.Seq - int64(t.Index)}
		if began, seen := c.first[f]; start >= 0 && (!seen || start < began) {
			c.first[f] = start
		}
	}
	c.families = append(c.families, f)
	if t.Attempt > 1 {
		c.turns(t)
	}
}

// ready gives when it could begin, as far as it says itself.
func (c *columns) ready(t *api.TaskRun) float64 {
	at := -1.0
	for _, up := range t.Upstream {
		if end, known := c.ended[up.TaskRun]; known {
			at = max(at, end)
		} else {
			c.late = append(c.late, dependency{len(c.Created), up.TaskRun})
		}
	}
	if at < 0 && len(t.History) > 0 {
		at = c.ms(t.History[0].Time)
	}
	return at
}

// turns notes what lies between the first attempt and the end.
func (c *columns) turns(t *api.TaskRun) {
	for i := range t.History {
		h := &t.History[i]
		if i == 0 || h.State.Final() {
			continue
		}
		c.TurnSeq = append(c.TurnSeq, t.Seq)
		c.TurnAt = append(c.TurnAt, c.ms(h.Time))
		c.TurnState = append(c.TurnState, place(&c.States, c.states, h.Name))
	}
}

// settle corrects when task runs could begin by what only the whole list tells:
// children when the first of their group did.
func (c *columns) settle() {
	for _, d := range c.late {
		if end, known := c.ended[d.on]; known && end <= c.Start[d.at] {
			c.Created[d.at] = end
		}
	}
	for i, f := range c.families {
		if began, known := c.first[f]; known && (c.Created[i] < 0 || c.Created[i] > began) {
			c.Created[i] = began
		}
	}
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
