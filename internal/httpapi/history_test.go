package httpapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestRunHistoryTellsWhatHappenedInOrder(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "fails", Options: &api.Options{Retry: &api.RetryPolicy{Max: 1}}}}}})
	h, err := s.RunHistory(t.Context(), id, httpapi.HistoryQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if h.More || len(h.Items) < 4 {
		t.Fatalf("history %+v, want all of it", h)
	}
	first, last := h.Items[0], h.Items[len(h.Items)-1]
	if first.Message != "submitted" || first.TaskRun != "" || last.State != api.Failed {
		t.Errorf("begins with %+v and ends with %+v", first, last)
	}
	for i := range h.Items[1:] {
		if h.Items[i+1].Time.Before(h.Items[i].Time) {
			t.Errorf("%+v comes before %+v", h.Items[i], h.Items[i+1])
		}
	}
	var names []string
	for _, one := range h.Items {
		if one.TaskRun == id+"/0" {
			names = append(names, one.Of)
		}
	}
	if !slices.Contains(names, "AwaitingRetry") {
		t.Errorf("states of the task run %v, want AwaitingRetry among them", names)
	}
	short, err := s.RunHistory(t.Context(), id, httpapi.HistoryQuery{Limit: 2})
	if err != nil || !short.More || len(short.Items) != 2 || short.Items[1] != last {
		t.Errorf("the last two are %+v (%v)", short, err)
	}
}

// A history is read in pages, from either end, and what it has at the end of one is where
// the next begins. What is asked for since a time has nothing before it.
func TestRunHistoryHasPages(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, &api.Spec{Steps: []api.Step{
		{Value: []byte("[1,2,3,4,5]")}, {Each: &api.Each{Do: api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "double"}}}}}},
	}})
	read := func(q httpapi.HistoryQuery) httpapi.RunHistory {
		t.Helper()
		h, err := s.RunHistory(t.Context(), id, q)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	all := read(httpapi.HistoryQuery{Limit: 10000}).Items
	for _, limit := range []int{1, 2, 7, len(all), len(all) + 1} {
		var forth, back []httpapi.Happened
		for q := (httpapi.HistoryQuery{Limit: limit, After: "0"}); ; {
			h := read(q)
			forth = append(forth, h.Items...)
			if q.After = h.After; !h.More {
				break
			}
		}
		for q := (httpapi.HistoryQuery{Limit: limit}); ; {
			h := read(q)
			back = append(slices.Clone(h.Items), back...)
			if q.Before = h.Before; !h.More {
				break
			}
		}
		if !slices.Equal(forth, all) || !slices.Equal(back, all) {
			t.Errorf("with %d a page: forth %d, back %d, want all %d in the same order", limit, len(forth), len(back), len(all))
		}
	}
	last := read(httpapi.HistoryQuery{Limit: 1})
	if h := read(httpapi.HistoryQuery{Limit: 5, After: last.After}); len(h.Items) != 0 || h.More || h.After != last.After {
		t.Errorf("after the last %+v, want nothing, and the same place", h)
	}
	middle := all[len(all)/2].Time
	for _, h := range read(httpapi.HistoryQuery{Limit: 100, Since: middle}).Items {
		if h.Time.Before(middle) {
			t.Errorf("since %s there is %+v", middle, h)
		}
	}
	for _, wrong := range []httpapi.HistoryQuery{{Limit: 1, After: "MTp4"}, {Limit: 1, Before: "!"}, {Limit: 1, Before: "0"}} {
		if _, err := s.RunHistory(t.Context(), id, wrong); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%+v gives %v, want ErrInvalid", wrong, err)
		}
	}
}

// What happened is chosen by type, state and task, in pages as well as in lines.
func TestRunHistoryIsChosen(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "double", Args: api.Args{[]byte("1")}}}, {Ignore: true, Call: &api.Call{Task: "fails"}}}})
	if status, _, _ := s.request(t, http.MethodPost, "/api/v1/runs/"+id+"/retry", "", http.Header{"X-Reason": {"once more"}}); status != http.StatusOK {
		t.Fatalf("retry gave %d", status)
	}
	if _, err := s.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		query string
		want  httpapi.HistoryChoice
		is    func(h httpapi.Happened) bool
	}{
		{"", httpapi.HistoryChoice{}, func(httpapi.Happened) bool { return true }},
		{"type=run", httpapi.HistoryChoice{Type: []string{"run"}}, func(h httpapi.Happened) bool { return h.TaskRun == "" && h.Action == "" }},
		{"type=task", httpapi.HistoryChoice{Type: []string{"task"}}, func(h httpapi.Happened) bool { return h.TaskRun != "" }},
		{"type=request&type=run", httpapi.HistoryChoice{Type: []string{"request", "run"}}, func(h httpapi.Happened) bool { return h.TaskRun == "" }},
		{"state=failed", httpapi.HistoryChoice{State: []string{"failed"}}, func(h httpapi.Happened) bool { return h.State == api.Failed }},
		{"task=fails", httpapi.HistoryChoice{Task: "fails"}, func(h httpapi.Happened) bool { return strings.HasPrefix(h.Name, "fails") }},
	} {
		h, err := s.RunHistory(t.Context(), id, httpapi.HistoryQuery{Limit: 100, HistoryChoice: c.want})
		if err != nil || len(h.Items) == 0 {
			t.Fatalf("%s: %+v, %v", c.query, h, err)
		}
		status, _, body := s.get(t, "/api/v1/runs/"+id+"/history/lines?"+c.query)
		lines := strings.Split(strings.TrimSpace(body), "\n")
		if status != http.StatusOK || len(lines) != len(h.Items) {
			t.Errorf("%s: %d, %d lines, want %d:\n%s", c.query, status, len(lines), len(h.Items), body)
		}
		for _, line := range lines {
			var one httpapi.Happened
			if err := json.Unmarshal([]byte(line), &one); err != nil || !c.is(one) || !slices.Contains(h.Items, one) {
				t.Errorf("%s: there is %s (%v)", c.query, line, err)
			}
		}
	}
	for _, wrong := range []string{"history?type=nothing", "history/lines?state=nothing", "history?state=nothing"} {
		if status, _, body := s.get(t, "/api/v1/runs/"+id+"/"+wrong); status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
			t.Errorf("%s gives %d %s", wrong, status, body)
		}
	}
}

func TestRunHistoryTellsWhoDidWhatAndWhy(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, task("fails"))
	status, _, _ := s.request(t, http.MethodPost, "/api/v1/runs/"+id+"/retry", "", http.Header{"X-Reason": {"the disk is back"}})
	if status != http.StatusOK {
		t.Fatalf("retry gave %d", status)
	}
	if _, err := s.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h, err := s.RunHistory(t.Context(), id, httpapi.HistoryQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range h.Items {
		if one.Action == "POST retry" && one.Reason == "the disk is back" {
			return
		}
	}
	t.Errorf("history %+v, want the retry and its reason", h)
}

func TestDiffOfRuns(t *testing.T) {
	s := serve(t)
	two := func(first, second string) *api.Spec {
		return &api.Spec{Steps: []api.Step{
			{Call: &api.Call{Task: "double", Args: api.Args{[]byte(first)}}},
			{Ignore: true, Call: &api.Call{Task: second}},
		}}
	}
	a, _ := s.ran(t, two("1", "fails"))
	b, _ := s.ran(t, &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "double", Args: api.Args{[]byte("2")}}}}})
	d, err := s.Diff(t.Context(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	if d.Same || d.A.State != api.Failed || d.B.State != api.Completed || d.A.Error != "no luck" {
		t.Errorf("sides %+v and %+v", d.A, d.B)
	}
	var input []string
	for _, v := range d.Input {
		input = append(input, v.Path+" "+string(v.A)+" "+string(v.B))
	}
	if got, want := input, "steps.0.args.0 1 2"; len(got) != 2 || got[0] != want || !strings.HasPrefix(got[1], `steps.1 {"ignore":true`) {
		t.Errorf("input differs in %q", got)
	}
	if len(d.Tasks) != 2 {
		t.Fatalf("tasks %+v", d.Tasks)
	}
	for _, one := range d.Tasks {
		switch one.Task {
		case "double":
			if one.A.States["COMPLETED"] != 1 || one.B.States["COMPLETED"] != 1 {
				t.Errorf("double %+v", one)
			}
		case "fails":
			if one.A.States["FAILED"] != 1 || one.B.States != nil {
				t.Errorf("fails %+v", one)
			}
		}
	}
	if same, err := s.Diff(t.Context(), a, a); err != nil || !same.Same || len(same.Input) != 0 {
		t.Errorf("a run differs from itself: %+v (%v)", same, err)
	}
	if _, err := s.Diff(t.Context(), a, "00000000-0000-7000-8000-000000000000"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a run that there is not: %v, want ErrNotFound", err)
	}
}
