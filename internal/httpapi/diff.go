package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// RunDiff is two runs side by side.
type RunDiff struct {
	A     DiffSide    `json:"a"`
	B     DiffSide    `json:"b"`
	Same  bool        `json:"same_pipeline" doc:"The same was submitted, with the same arguments"`
	Input []DiffValue `json:"input,omitempty" doc:"In what the two pipelines differ, the first hundred places"`
	Tasks []DiffTask  `json:"tasks" doc:"By name, those that took longest first"`
	More  bool        `json:"more" doc:"A run has more task runs than were looked at"`
}

// DiffSide is what can be said of one run at a glance.
type DiffSide struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	State      api.State    `json:"state"`
	Generation int          `json:"generation"`
	Created    time.Time    `json:"created"`
	Finished   time.Time    `json:"finished,omitzero"`
	Took       api.Duration `json:"took" doc:"Until now, if it has not ended"`
	Error      string       `json:"error,omitempty"`
}

// DiffValue is a place in the two pipelines; a side that has nothing there is left out.
type DiffValue struct {
	Path string          `json:"path" example:"steps.0.args.1.region"`
	A    json.RawMessage `json:"a,omitempty"`
	B    json.RawMessage `json:"b,omitempty"`
}

// DiffTask is the task runs of one name in both runs.
type DiffTask struct {
	Task string    `json:"task"`
	A    TaskTimes `json:"a"`
	B    TaskTimes `json:"b"`
}

type diffInput struct {
	RunPath

	Other string `path:"other" doc:"The other run's id"`
}

func (a *routes) diffRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/runs/{id}/diff/{other}", "diff-runs", "runs", "Compare two runs: input, states and durations"), a.diff)
}

func (a *routes) diff(ctx context.Context, in *diffInput) (*body[RunDiff], error) {
	d := RunDiff{Tasks: []DiffTask{}}
	var inputs [2][]byte
	var times [2]map[string]*spans
	for i, id := range []string{in.ID, in.Other} {
		run, err := a.svc().Status(ctx, id)
		if err != nil {
			return nil, err
		}
		*[]*DiffSide{&d.A, &d.B}[i] = sideOf(&run, a.now())
		if inputs[i], err = a.svc().Request(ctx, id); err != nil {
			return nil, err
		}
		var more bool
		if times[i], more, err = a.spansOf(ctx, id); err != nil {
			return nil, err
		}
		d.More = d.More || more
	}
	var err error
	if d.Input, err = differences(inputs[0], inputs[1]); err != nil {
		return nil, err
	}
	d.Same = len(d.Input) == 0
	names := map[string]bool{}
	for _, side := range times {
		for name := range side {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d.Tasks = append(d.Tasks, DiffTask{Task: name, A: times[0][name].times(), B: times[1][name].times()})
	}
	slices.SortStableFunc(d.Tasks, func(x, y DiffTask) int {
		return int(max(min(max(y.A.Total, y.B.Total)-max(x.A.Total, x.B.Total), 1), -1))
	})
	return answer(d), nil
}

func sideOf(r *api.Run, now time.Time) DiffSide {
	s := DiffSide{ID: r.ID, Name: r.Name, State: r.State, Generation: r.Generation, Created: r.Created, Finished: r.Finished}
	end := r.Finished
	if end.IsZero() {
		end = now
	}
	s.Took = api.Duration(end.Sub(r.Created))
	if r.Failure != nil {
		s.Error = r.Failure.Message
	}
	return s
}

// MaxDifferences is how many places are told.
const MaxDifferences = 100

// differences gives the places in which two JSON texts differ, in order.
func differences(a, b []byte) ([]DiffValue, error) {
	va, err := decoded(a)
	if err != nil {
		return nil, err
	}
	vb, err := decoded(b)
	if err != nil {
		return nil, err
	}
	var out []DiffValue
	compare("", va, vb, &out)
	return out, nil
}

func decoded(text []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

// nothing is the value of a place that there is not.
type nothing struct{}

// compare walks two values and notes the innermost places in which they differ.
func compare(path string, a, b any, out *[]DiffValue) {
	if len(*out) == MaxDifferences {
		return
	}
	below := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			for _, name := range slices.Sorted(maps.Keys(merged(x, y))) {
				compare(below(name), member(x, name), member(y, name), out)
			}
			return
		}
	case []any:
		if y, ok := b.([]any); ok {
			for i := range max(len(x), len(y)) {
				compare(below(fmt.Sprint(i)), element(x, i), element(y, i), out)
			}
			return
		}
	}
	if sa, sb := encoded(a), encoded(b); !bytes.Equal(sa, sb) {
		*out = append(*out, DiffValue{Path: path, A: sa, B: sb})
	}
}

func merged(x, y map[string]any) map[string]any {
	all := maps.Clone(x)
	maps.Copy(all, y)
	return all
}

func member(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	return nothing{}
}

func element(l []any, i int) any {
	if i < len(l) {
		return l[i]
	}
	return nothing{}
}

// encoded gives a value as JSON, nil for a place that there is not.
func encoded(v any) json.RawMessage {
	if _, none := v.(nothing); none {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil { // it came as JSON
		return nil
	}
	return text
}
