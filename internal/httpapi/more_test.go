package httpapi_test

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestTasksRoundTrip(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, task("double", "21"))
	var got []api.TaskRun
	for tr, err := range s.TaskRuns(t.Context(), api.TaskRunFilter{Run: id, Tags: []string{"math"}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, tr)
	}
	if len(got) != 1 || got[0].Task != "double" || got[0].State != api.Completed {
		t.Fatalf("got %+v", got)
	}
	one, err := s.TaskRun(t.Context(), got[0].ID)
	if err != nil || one.ID != got[0].ID || len(one.History) == 0 {
		t.Errorf("got %+v, %v", one, err)
	}
	if status, _, body := s.get(t, "/api/v1/runs/"+got[0].Run+"/tasks/"+strconv.FormatInt(got[0].Seq, 10)+"/result"); body != "42\n" {
		t.Errorf("result: %d %q", status, body)
	}
	if _, err := s.Why(t.Context(), got[0].ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("why of what has ended gave %v, want ErrConflict", err)
	}
	for range s.TaskRuns(t.Context(), api.TaskRunFilter{AnyOf: []string{"other"}}) {
		t.Error("a task run without the tag was listed")
	}
}

func TestAnswerFromOutside(t *testing.T) {
	s := serve(t)
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("asks")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(t.Context(), <-tokens, []byte(`"yes"`)); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Wait(t.Context(), id); err != nil || string(out.Result) != `"yes"` {
		t.Errorf("got %s %v", out.Result, err)
	}
	id, _, err = s.Submit(t.Context(), httpapi.Submission{Spec: task("asks")})
	if err != nil {
		t.Fatal(err)
	}
	token := <-tokens
	if err := s.Fail(t.Context(), token, &api.Failure{Message: "no"}); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Wait(t.Context(), id); err != nil || out.State != api.Failed {
		t.Errorf("got %s %v", out.State, err)
	}
	if err := s.Complete(t.Context(), token, []byte("1")); err == nil {
		t.Error("an answer to what has ended was taken")
	}
}

func TestLogsRoundTrip(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, task("double", "1"))
	for name, follow := range map[string]bool{"read": false, "followed": true} {
		list := s.Logs(t.Context(), api.LogFilter{Run: id})
		if follow {
			list = s.FollowLogs(t.Context(), api.LogFilter{Run: id})
		}
		var texts []string
		for line, err := range list {
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, line.Text)
		}
		if len(texts) != 1 || !strings.Contains(texts[0], "doubling") {
			t.Errorf("%s: %q", name, texts)
		}
	}
	for range s.Logs(t.Context(), api.LogFilter{Run: id, Contains: "nothing of this"}) {
		t.Error("a line without the text was given")
	}
	if status, header, body := s.get(t, "/api/v1/runs/"+id+"/logs?tail=1&level=info"); status != http.StatusOK ||
		header.Get("Content-Type") != "application/x-ndjson" || strings.Count(body, "\n") != 1 {
		t.Errorf("%d %s %q", status, header, body)
	}
}

func TestLimitsRoundTrip(t *testing.T) {
	s := serve(t)
	const tag = `a/b ü?"` // whatever a tag may be
	l, created, err := s.CreateLimit(t.Context(), tag, 10)
	if err != nil || !created || l.Tag != tag || l.Limit != 10 {
		t.Fatalf("%+v %t %v", l, created, err)
	}
	if _, created, err = s.CreateLimit(t.Context(), tag, 5); created || err != nil {
		t.Errorf("the second time: %t %v", created, err)
	}
	if l, err = s.Limit(t.Context(), tag); err != nil || l.Limit != 5 {
		t.Errorf("%+v %v", l, err)
	}
	var tags []string
	for l, err := range s.Limits(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, l.Tag)
	}
	if !slices.Equal(tags, []string{tag}) {
		t.Errorf("listed %q", tags)
	}
	if err := errors.Join(s.ResetLimit(t.Context(), tag), s.DeleteLimit(t.Context(), tag)); err != nil {
		t.Error(err)
	}
	if _, err := s.Limit(t.Context(), tag); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a deleted limit gave %v", err)
	}
}

func TestGlobalLimitsRoundTrip(t *testing.T) {
	s := serve(t)
	if err := s.SetGlobalLimit(t.Context(), api.GlobalLimit{Name: "api", Limit: 5, Decay: 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.ActivateGlobalLimit(t.Context(), "api", false); err != nil {
		t.Fatal(err)
	}
	l, err := s.GlobalLimit(t.Context(), "api")
	if err != nil || l.Limit != 5 || l.Decay != 2 || !l.Inactive {
		t.Errorf("%+v %v", l, err)
	}
	n := 0
	for _, err := range s.GlobalLimits(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if err := errors.Join(s.ResetGlobalLimit(t.Context(), "api"), s.DeleteGlobalLimit(t.Context(), "api")); err != nil || n != 1 {
		t.Errorf("%d listed, %v", n, err)
	}
}

func TestCacheRoundTrip(t *testing.T) {
	s := serve(t)
	s.ran(t, task("kept", "1"))
	id, _ := s.ran(t, task("kept", "1"))
	var entries []api.CacheEntry
	for e, err := range s.CacheEntries(t.Context(), api.CacheFilter{Task: "kept"}) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	if len(entries) != 1 {
		t.Fatalf("%d entries, want 1", len(entries))
	}
	if e, err := s.CacheEntry(t.Context(), entries[0].Key); err != nil || string(e.Result) != "1" {
		t.Errorf("%+v %v", e, err)
	}
	for tr, err := range s.TaskRuns(t.Context(), api.TaskRunFilter{Run: id}) {
		if err != nil {
			t.Fatal(err)
		}
		if r, err := s.ExplainCache(t.Context(), tr.ID); err != nil || r.Why == "" {
			t.Errorf("%+v %v", r, err)
		}
	}
	if n, err := s.DeleteCache(t.Context(), api.CacheFilter{Key: entries[0].Key}); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if n, err := s.DeleteCache(t.Context(), api.CacheFilter{Key: entries[0].Key}); n != 0 || err != nil {
		t.Errorf("the second time: %d %v", n, err)
	}
	if n, err := s.DeleteCache(t.Context(), api.CacheFilter{}); n != 0 || err != nil {
		t.Errorf("all of nothing: %d %v", n, err)
	}
}

func TestSchedulesRoundTrip(t *testing.T) {
	s := serve(t)
	every := api.Timetable{Every: api.Duration(time.Hour)}
	want := api.Schedule{Name: "hourly", Timetable: every, Overlap: api.OverlapQueue, Tags: []string{"x"}}
	if err := s.CreateSchedule(t.Context(), want, task("double", "3")); err != nil {
		t.Fatal(err)
	}
	got, err := s.Schedule(t.Context(), "hourly")
	if err != nil || got.Overlap != api.OverlapQueue || len(got.Next) == 0 || !slices.Equal(got.Tags, want.Tags) {
		t.Errorf("%+v %v", got, err)
	}
	id, err := s.TriggerSchedule(t.Context(), "hourly")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Wait(t.Context(), id); err != nil || string(out.Result) != "6" {
		t.Errorf("%s %v", out.Result, err)
	}
	if err := errors.Join(s.PauseSchedule(t.Context(), "hourly"), s.ResumeSchedule(t.Context(), "hourly")); err != nil {
		t.Error(err)
	}
	if times, err := s.ScheduleTimes(t.Context(), "hourly", 3); err != nil || len(times) != 3 {
		t.Errorf("%v %v", times, err)
	}
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	if times, err := s.Times(t.Context(), api.Timetable{Cron: "0 12 * * *", Zone: "Europe/Berlin"}, from, 2); err != nil ||
		len(times) != 2 || !times[0].Equal(from.Add(11*time.Hour)) {
		t.Errorf("%v %v", times, err)
	}
	if n, err := s.Backfill(t.Context(), "hourly", from, from.Add(3*time.Hour)); err != nil || n != 3 {
		t.Errorf("%d %v", n, err)
	}
	if err := s.DeleteSchedule(t.Context(), "hourly"); err != nil {
		t.Error(err)
	}
	if _, err := s.Schedule(t.Context(), "hourly"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a deleted schedule gave %v", err)
	}
}

func TestFacts(t *testing.T) {
	s := serve(t)
	known, err := s.Registered(t.Context())
	if err != nil || !slices.ContainsFunc(known, func(i api.TaskInfo) bool { return i.Name == "double" }) {
		t.Errorf("%+v %v", known, err)
	}
	if server, err := s.Server(t.Context()); err != nil || server.Version == "" {
		t.Errorf("%+v %v", server, err)
	}
	if h := s.Health(t.Context()); !h.Ready() {
		t.Errorf("%+v", h)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, _, body := s.get(t, path); status != http.StatusOK || body != "ok\n" {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	if err := s.PauseQueue(t.Context(), "q"); err != nil {
		t.Error(err)
	}
	if q, err := s.Queues(t.Context()); err != nil || len(q) != 2 || q[1].Name != "q" || q[1].Paused.IsZero() {
		t.Errorf("%+v %v", q, err)
	}
	if err := s.ResumeQueue(t.Context(), "q"); err != nil {
		t.Error(err)
	}
	if err := s.DrainWorker(t.Context(), "1", true); err != nil {
		t.Error(err)
	}
	if w, err := s.Worker(t.Context(), "1"); err != nil || !w.Draining {
		t.Errorf("%+v %v", w, err)
	}
	if err := s.DrainWorker(t.Context(), "1", false); err != nil {
		t.Error(err)
	}
	if _, err := s.Worker(t.Context(), "77"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("no worker: %v", err)
	}
	id, _ := s.ran(t, task("double", "1"))
	if ids, err := s.Lookup(t.Context(), id[:12]); err != nil || !slices.Contains(ids, id) {
		t.Errorf("looked up %v %v, want %s", ids, err, id)
	}
}

func TestOperations(t *testing.T) {
	s := serve(t)
	var ids []string
	for range 5 {
		id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("held"), Name: "held"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	s.ran(t, task("double", "1"))
	r := httpapi.OperationRequest{Action: "cancel", Name: "held", DryRun: true, Reason: "a test"}
	o, err := s.Operate(t.Context(), r)
	if err != nil || o.Total != 5 || o.State != "dry_run" || len(o.Sample) != 5 {
		t.Fatalf("%+v %v", o, err)
	}
	r.DryRun = false
	if o, err = s.Operate(t.Context(), r); err != nil || o.ID == "" {
		t.Fatalf("%+v %v", o, err)
	}
	for _, id := range ids {
		if out, err := s.Wait(t.Context(), id); err != nil || out.State != api.Cancelled {
			t.Errorf("%s %v", out.State, err)
		}
	}
	for o.State == "running" {
		if o, err = s.Operation(t.Context(), o.ID); err != nil {
			t.Fatal(err)
		}
	}
	if o.State != "done" || o.Done != 5 || o.Failed != 0 {
		t.Errorf("%+v", o)
	}
	o, err = s.Operate(t.Context(), httpapi.OperationRequest{Action: "pause", IDs: ids[:1]})
	for err == nil && o.State == "running" {
		o, err = s.Operation(t.Context(), o.ID)
	}
	if err != nil || o.Failed != 1 || o.Errors[0].Code != "run_final" {
		t.Errorf("%+v %v", o, err)
	}
}
