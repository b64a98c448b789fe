package httpapi_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/graphview"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// fanOut is a pipeline of n calls beside each other, two at a time, and one after them.
func fanOut(n int) *api.Spec {
	g := &api.Group{GroupOptions: api.GroupOptions{MaxParallelism: 2}}
	for i := range n {
		g.Children = append(g.Children, *task("double", strconv.Itoa(i)))
	}
	return &api.Spec{Steps: []api.Step{{Group: g}, {Ignore: true, Call: &api.Call{Task: "double", Args: api.Args{[]byte("7")}}}}}
}

func (s *served) timeline(t *testing.T, path string) *httpapi.Timeline {
	t.Helper()
	status, _, text := s.get(t, "/api/v1/runs/"+path)
	l := new(httpapi.Timeline)
	if err := json.Unmarshal([]byte(text), l); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s %v", path, status, text, err)
	}
	return l
}

func TestTimelineKnowsWhatWaited(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, fanOut(6))
	l := s.timeline(t, id+"/timeline")
	if l.Seq[0] != 0 || len(l.Seq) != 7 { // the step after the group has the run's first number
		t.Fatalf("numbers %v", l.Seq)
	}
	first := slices.Min(l.Start[1:])
	for i, created := range l.Created[1:] {
		if created != first {
			t.Errorf("child %d could begin at %v, want %v as the first of its group did", i, created, first)
		}
	}
	if l.Created[0] < slices.Max(l.End[1:]) {
		t.Errorf("the step after the group could begin before the group ended: %+v", l)
	}
	if l.Now < l.End[0] || l.Kinds[l.Waits[0]] != "" {
		t.Errorf("now %v, waits %v of %q", l.Now, l.Waits, l.Kinds)
	}
}

// TestTimelineLimits: it tells what bounds how many bodies run, once.
func TestTimelineLimits(t *testing.T) {
	s := serve(t)
	for tag, limit := range map[string]int{"math": 3, "elsewhere": 5} {
		if err := s.SetLimit(t.Context(), tag, limit); err != nil {
			t.Fatal(err)
		}
	}
	spec := fanOut(4)
	inner := api.Spec{Steps: []api.Step{{Each: &api.Each{Do: *task("double"), GroupOptions: api.GroupOptions{MaxParallelism: 7}}}}}
	spec.Steps[0].Group.Children = append(spec.Steps[0].Group.Children, api.Spec{Steps: append([]api.Step{{Value: []byte("[1,2]")}}, inner.Steps...)})
	spec.Finally = &api.Step{Group: &api.Group{Children: []api.Spec{*task("double", "1")}, GroupOptions: api.GroupOptions{MaxParallelism: 1}}}
	id, _ := s.ran(t, spec)
	want := []httpapi.TimelineLimit{{Tag: "math", Limit: 3}, {Place: "steps[0].children[4].steps[1]", Limit: 7}, {Place: "steps[0]", Limit: 2}, {Place: "finally", Limit: 1}}
	if l := s.timeline(t, id+"/timeline"); !slices.Equal(l.Limits, want) {
		t.Errorf("limits %+v, want %+v", l.Limits, want)
	}
	if l := s.timeline(t, id+"/timeline?since=0"); l.Limits != nil {
		t.Errorf("what is new has limits %+v", l.Limits)
	}
}

func TestTimelineTurns(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "fails", Options: &api.Options{Retry: &api.RetryPolicy{Max: 2}}}}}})
	l := s.timeline(t, id+"/timeline")
	var turns []string
	for _, state := range l.TurnState {
		turns = append(turns, l.States[state])
	}
	if got := strings.Join(turns, " "); got != "AwaitingRetry Retrying AwaitingRetry Retrying" || l.Attempt[0] != 3 {
		t.Errorf("turns %q of attempt %d, want two of them tried again", got, l.Attempt[0])
	}
	for i := range l.TurnAt {
		if l.TurnSeq[i] != 0 || l.TurnAt[i] < l.Start[0] || l.TurnAt[i] > l.End[0] {
			t.Errorf("turn %d at %v, want one between %v and %v", i, l.TurnAt[i], l.Start[0], l.End[0])
		}
	}
}

func TestTimelineGivesWhatIsNew(t *testing.T) {
	s := serve(t)
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: &api.Spec{Steps: []api.Step{
		{Call: &api.Call{Task: "double", Args: api.Args{[]byte("1")}}}, {Call: &api.Call{Task: "asks"}, Ignore: true},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	token := <-tokens
	l := s.timeline(t, id+"/timeline")
	if l.State != "RUNNING" || len(l.Seq) != 2 || l.End[1] != -1 {
		t.Errorf("while its second step waits for an answer: %+v", l)
	}
	later := s.timeline(t, id+"/timeline?from=1")
	if !slices.Equal(later.Seq, []int64{1}) {
		t.Errorf("from 1: numbers %v, want 1", later.Seq)
	}
	if err := s.Complete(t.Context(), token, []byte("1")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	whole := s.timeline(t, id+"/timeline")
	since := s.timeline(t, id+"/timeline?since="+strconv.FormatInt(int64(whole.End[0])+1, 10))
	if want := whole.End[1] >= float64(int64(whole.End[0])+1); slices.Contains(since.Seq, 0) || slices.Contains(since.Seq, 1) != want {
		t.Errorf("since after the first has ended: numbers %v; ends %v", since.Seq, whole.End)
	}
}

func TestGraphETag(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, fanOut(3))
	path := "/api/v1/runs/" + id + "/graph"
	status, header, text := s.get(t, path)
	var d graphview.Drawing
	if err := json.Unmarshal([]byte(text), &d); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v", status, text, err)
	}
	tag := header.Get("ETag")
	if status, _, body := s.request(t, http.MethodGet, path, "", http.Header{"If-None-Match": {tag}}); status != http.StatusNotModified || body != "" {
		t.Errorf("with its ETag: %d %q, want 304", status, body)
	}
	if _, header, _ := s.get(t, path+"?problems=true"); header.Get("ETag") == tag {
		t.Error("another picture has the same ETag")
	}
}

func TestLogsDescribed(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, fanOut(12))
	for query, want := range map[string]int{
		"match=" + `x%3D(3|4)$`:   2,
		"match=^doubling&limit=5": 5,
		"match=nothing":           0,
		"before=4":                3,
		"before=9&tail=2":         2,
		"before=4&match=x%3D":     3,
	} {
		_, _, text := s.get(t, "/api/v1/runs/"+id+"/logs?"+query)
		if got := strings.Count(text, "\n"); got != want {
			t.Errorf("%s: %d lines, want %d: %s", query, got, want, text)
		}
	}
	if status, _, text := s.get(t, "/api/v1/runs/"+id+"/logs?match=("); status != http.StatusUnprocessableEntity || !strings.Contains(text, "query.match") {
		t.Errorf("a pattern that is none: %d %s", status, text)
	}
}
