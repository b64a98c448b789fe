package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

type (
	putSchedule struct {
		NamePath
		IfMatch

		Body ScheduleRequest
	}
	nextInput struct {
		NamePath

		N int `query:"n" minimum:"1" maximum:"1000" default:"10"`
	}
	timesInput struct {
		Cron  string    `query:"cron"`
		Every string    `query:"every" doc:"Or an interval, as in 90s"`
		Zone  string    `query:"zone"`
		From  time.Time `query:"from" doc:"Of an interval: one of its times"`
		After time.Time `query:"after" doc:"Default: now"`
		N     int       `query:"n" minimum:"1" maximum:"1000" default:"10"`
	}
	backfillInput struct {
		NamePath
		IfMatch

		Body struct {
			From time.Time `json:"from"`
			To   time.Time `json:"to" doc:"Not included"`
		}
	}
)

type previewBackfillInput struct {
	NamePath

	From time.Time `query:"from" required:"true"`
	To   time.Time `query:"to" required:"true" doc:"Not included"`
}

// ScheduleRequest is a schedule as it is asked for.
type ScheduleRequest struct {
	Timetable api.Timetable     `json:"timetable"`
	Pipeline  json.RawMessage   `json:"pipeline,omitempty" doc:"What to run, in its JSON form"`
	Task      string            `json:"task,omitempty" doc:"Or the name of a task or flow"`
	Args      []json.RawMessage `json:"args,omitempty" doc:"and its arguments"`
	Overlap   api.Overlap       `json:"overlap,omitempty" doc:"While the last run is live: skip, allow, queue or cancel"`
	CatchUp   api.CatchUp       `json:"catch_up,omitempty" doc:"Of times that nobody attended: latest, all or none"`
	Window    api.Duration      `json:"window,omitempty" doc:"How far back to catch up" example:"1h"`
	Tags      []string          `json:"tags,omitempty"`
}

// Times are times of a timetable.
type Times struct {
	Times []time.Time `json:"times"`
}

func (a *routes) scheduleRoutes(api huma.API) {
	const group = "schedules"
	do(a, api, op(http.MethodGet, "/schedules", "list-schedules", group, "List schedules"), a.listSchedules)
	do(a, api, op(http.MethodGet, "/schedules/{name}", "get-schedule", group, "Read a schedule"), a.getSchedule)
	do(a, api, op(http.MethodPut, "/schedules/{name}", "set-schedule", group, "Create a schedule, or change it"), a.putSchedule)
	do(a, api, op(http.MethodDelete, "/schedules/{name}", "delete-schedule", group, "Delete a schedule; its runs stay"), a.deleteSchedule)
	do(a, api, op(http.MethodPost, "/schedules/{name}/pause", "pause-schedule", group, "Make no runs until it is resumed"), a.scheduleVerb(Service.PauseSchedule))
	do(a, api, op(http.MethodPost, "/schedules/{name}/resume", "resume-schedule", group, "Go on from the next time"), a.scheduleVerb(Service.ResumeSchedule))
	do(a, api, op(http.MethodPost, "/schedules/{name}/skip", "skip-schedule", group, "Make no run for the next time"), a.scheduleVerb(Service.SkipSchedule))
	do(a, api, created(op(http.MethodPost, "/schedules/{name}/trigger", "trigger-schedule", group, "Make a run now")), a.triggerSchedule)
	do(a, api, op(http.MethodPost, "/schedules/{name}/backfill", "backfill-schedule", group, "Make the runs of times that have passed"), a.backfillSchedule)
	do(a, api, op(http.MethodGet, "/schedules/{name}/backfill", "preview-backfill", group, "Give the times whose runs a backfill would make"), a.previewBackfill)
	do(a, api, op(http.MethodGet, "/schedules/{name}/next", "next-times", group, "Give a schedule's next times"), a.nextTimes)
	do(a, api, op(http.MethodGet, "/timetable", "preview-times", group, "Give the times of a timetable that is only thought of"), a.previewTimes)
}

func (a *routes) listSchedules(ctx context.Context, in *ListQuery) (*body[Page[api.Schedule]], error) {
	return namedPage(in, a.svc().Schedules(ctx), func(s *api.Schedule) string { return s.Name })
}

func (a *routes) getSchedule(ctx context.Context, in *NamePath) (*tagged[api.Schedule], error) {
	s, err := a.svc().Schedule(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &tagged[api.Schedule]{ETag: etag(s.Updated), Body: s}, nil
}

func (a *routes) putSchedule(ctx context.Context, in *putSchedule) (*made[api.Schedule], error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	was, err := a.svc().Schedule(ctx, in.Name)
	known, err := found(err)
	if err != nil {
		return nil, err
	}
	if err := in.allows(known, etag(was.Updated)); err != nil {
		return nil, err
	}
	r := SubmitRequest{Pipeline: in.Body.Pipeline, Task: in.Body.Task, Args: in.Body.Args}
	spec, err := r.spec()
	if err != nil {
		return nil, err
	}
	want := api.Schedule{
		Name: in.Name, Timetable: in.Body.Timetable, Overlap: in.Body.Overlap, CatchUp: in.Body.CatchUp,
		Window: in.Body.Window, Tags: in.Body.Tags,
	}
	if err := a.svc().CreateSchedule(ctx, want, spec); err != nil {
		return nil, err
	}
	s, err := a.svc().Schedule(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &made[api.Schedule]{Status: createdUnless(known), ETag: etag(s.Updated), Body: s}, nil
}

// changed does something to a schedule that is as If-Match says.
func (a *routes) changed(ctx context.Context, in *namedIfMatch, do func(context.Context, string) error) error {
	return a.unchanged(in.IfMatch, func() (string, error) {
		s, err := a.svc().Schedule(ctx, in.Name)
		return etag(s.Updated), err
	}, func() error { return do(ctx, in.Name) })
}

func (a *routes) deleteSchedule(ctx context.Context, in *namedIfMatch) (*empty, error) {
	return &empty{}, a.changed(ctx, in, a.svc().DeleteSchedule)
}

// scheduleVerb gives what does something to a schedule, and then shows it.
func (a *routes) scheduleVerb(do func(Service, context.Context, string) error) func(context.Context, *namedIfMatch) (*tagged[api.Schedule], error) {
	return func(ctx context.Context, in *namedIfMatch) (*tagged[api.Schedule], error) {
		err := a.changed(ctx, in, func(ctx context.Context, name string) error { return do(a.svc(), ctx, name) })
		if err != nil {
			return nil, err
		}
		return a.getSchedule(ctx, &in.NamePath)
	}
}

func (a *routes) triggerSchedule(ctx context.Context, in *namedIfMatch) (*submitOutput, error) {
	var id string
	err := a.changed(ctx, in, func(ctx context.Context, name string) (err error) {
		id, err = a.svc().TriggerSchedule(ctx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	run, err := a.getRun(ctx, &RunPath{ID: id})
	if err != nil {
		return nil, err
	}
	return &submitOutput{Status: http.StatusCreated, ETag: run.ETag, Location: Base + "/runs/" + id, Body: run.Body}, nil
}

// Backfilled says how many runs were made.
type Backfilled struct {
	Made int `json:"made"`
}

func (a *routes) backfillSchedule(ctx context.Context, in *backfillInput) (*body[Backfilled], error) {
	var n int
	err := a.changed(ctx, &namedIfMatch{in.NamePath, in.IfMatch}, func(ctx context.Context, name string) (err error) {
		n, err = a.svc().Backfill(ctx, name, in.Body.From, in.Body.To)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer(Backfilled{Made: n}), nil
}

func (a *routes) previewBackfill(ctx context.Context, in *previewBackfillInput) (*body[Times], error) {
	times, err := a.svc().BackfillTimes(ctx, in.Name, in.From, in.To)
	if err != nil {
		return nil, err
	}
	if times == nil {
		times = []time.Time{}
	}
	return answer(Times{Times: times}), nil
}

func (a *routes) nextTimes(ctx context.Context, in *nextInput) (*body[Times], error) {
	times, err := a.svc().ScheduleTimes(ctx, in.Name, in.N)
	if err != nil {
		return nil, err
	}
	return answer(Times{Times: times}), nil
}

func (a *routes) previewTimes(ctx context.Context, in *timesInput) (*body[Times], error) {
	t := api.Timetable{Cron: in.Cron, Zone: in.Zone, From: in.From}
	if in.Every != "" {
		if err := t.Every.UnmarshalText([]byte(in.Every)); err != nil {
			return nil, api.Errorf(api.ErrInvalid, "query.every", "%w", err)
		}
	}
	after := in.After
	if after.IsZero() {
		after = a.now()
	}
	times, err := a.svc().Times(ctx, t, after, in.N)
	if err != nil {
		return nil, err
	}
	return answer(Times{Times: times}), nil
}
