package graphview

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// everything is the example of docs/pipeline-json.md.
const everything = `{
  "runnel": 1,
  "steps": [
    {"children": [
      {"steps": [{"task": "multiply", "args": [3, 2]}, {"task": "divide", "args": [2]}]},
      {"steps": [{"value": [1, 2, 3]}, {"each": {"steps": [{"task": "double"}]}, "max_parallelism": 2}, {"task": "sum"}]}
    ], "max_parallelism": 10, "num_stages": 2},
    {"task": "average", "wait": true},
    {"task": "on_error", "on": "error"},
    {"chain": {"steps": [{"task": "a", "options": {"name": "first"}}, {"task": "b"}], "finally": {"task": "c"}}}
  ],
  "finally": {"task": "cleanup"}
}`

func specOf(t testing.TB, text string) *api.Spec {
	t.Helper()
	spec := new(api.Spec)
	if err := json.Unmarshal([]byte(text), spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestPipelineIsDrawnPlanned(t *testing.T) {
	g := FromPlan("everything", specOf(t, everything))
	out := collapsed(t, g, Fold{Open: []string{"steps[0]", "steps[0].children[0]", "steps[0].children[1]", "steps[0].children[1].steps[1]"}})
	text, err := Text(out, TextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", text)
	golden(t, "plan.svg", svg(t, out))
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.State != Planned || n.ID == "steps[0].children[1]" && (n.Stage != 1 || n.Index != 1) {
			t.Errorf("%s: %+v", n.ID, n)
		}
	}
}

func TestManyAlikeChildrenAreOneNode(t *testing.T) {
	spec := specOf(t, everything)
	group := &api.Group{}
	for i := range 100_000 {
		child := api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "load"}}}}
		if i%1000 == 7 {
			child.Steps = append(child.Steps, api.Step{Call: &api.Call{Task: "check"}})
		}
		group.Children = append(group.Children, child)
	}
	spec.Steps[0] = api.Step{Group: group}
	wantBrief(t, collapsed(t, FromPlan("", spec), Fold{Open: []string{"steps[0]"}}),
		"steps[0]: 100100 planned",
		"steps[0].children[0].steps[0] in steps[0]: 99900 planned",
		"steps[0].children[7] in steps[0]: 200 planned",
		"steps[1]: planned after steps[0]",
		"steps[2]: planned after steps[1]",
		"steps[3]: 3 planned after steps[1] steps[2]",
		"steps[3].chain.steps[0] in steps[3]: planned",
		"steps[3].chain.steps[1] in steps[3]: planned after steps[3].chain.steps[0]",
		"steps[3].chain.finally in steps[3]: planned after steps[3].chain.steps[1]",
		"finally: planned after steps[3]")
}

func TestGroupsInGroupsAreCountedTogether(t *testing.T) {
	load := api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "load"}}}}
	two := api.Spec{Steps: []api.Step{{Group: &api.Group{Children: []api.Spec{load, load}}}}}
	g := FromRun(&Facts{
		Run:  api.Run{ID: "r", State: api.Running, Tasks: map[string]api.TaskCounts{"load": {Completed: 2}}},
		Spec: &api.Spec{Steps: []api.Step{{Group: &api.Group{Children: []api.Spec{two, two, two}}}}},
	})
	wantBrief(t, collapsed(t, g, Fold{}), "steps[0]: 4 planned 2 completed", "steps[0].children[0].steps[0] in steps[0]: 4 planned 2 completed")
}

// wideRun is of 100,000 loads, of which only those are listed that somebody has
// to look at.
func wideRun() *Facts {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	group := &api.Group{Children: make([]api.Spec, 100_000)}
	for i := range group.Children {
		group.Children[i].Steps = []api.Step{{Call: &api.Call{Task: "load"}}}
	}
	f := &Facts{
		Run: api.Run{ID: "run", State: api.Running, Tasks: map[string]api.TaskCounts{"load": {Completed: 60_990, Failed: 9}, "list": {Completed: 1}}},
		Spec: &api.Spec{Steps: []api.Step{
			{Call: &api.Call{Task: "list"}}, {Group: group}, {Call: &api.Call{Task: "sum"}},
		}},
		Now: began.Add(time.Minute),
	}
	for i := range 235 {
		row := api.TaskRun{
			ID: fmt.Sprint("run/", i), Task: "load", Name: fmt.Sprint("load-", i), Seq: int64(i + 5), Index: -1, State: api.Running, Started: began,
			History: []api.Transition{{Time: began.Add(-time.Second)}},
		}
		switch {
		case i < 9:
			row.State, row.Finished, row.Failure = api.Failed, began.Add(time.Second), &api.Failure{Message: "no\nbody"}
		case i < 21:
			row.State, row.StateName, row.Reason = api.Scheduled, "AwaitingRetry", "waits 5s"
		}
		f.TaskRuns = append(f.TaskRuns, row)
	}
	return f
}

func TestWideRunNeedsFewRows(t *testing.T) {
	g := FromRun(wideRun())
	if len(g.Nodes) > 250 {
		t.Errorf("%d nodes for 235 rows", len(g.Nodes))
	}
	wantBrief(t, collapsed(t, g, Fold{}), "steps[0]: completed",
		"steps[1]: 9 failed 214 running 12 retrying 38775 planned 60990 completed after steps[0]", "steps[2]: planned after steps[1]")
	out := collapsed(t, g, Fold{Open: []string{"load"}})
	byID := map[string]*Node{}
	for i := range out.Nodes {
		byID[out.Nodes[i].ID] = &out.Nodes[i]
	}
	const seat = "steps[1].children[0].steps[0]"
	for id, want := range map[string]int64{seat + "#planned…": 38_775, seat + "#completed…": 60_990, seat: 100_000} {
		if n := byID[id]; n == nil || n.Counts.Total() != want {
			t.Errorf("%s is %+v, want %d", id, n, want)
		}
	}
	if n := byID["run/0"]; n == nil || n.Ran != time.Second || n.Waited != time.Second || n.Note != "no" || n.In != seat {
		t.Errorf("the first that failed is %+v", n)
	}
	if n := byID["run/9"]; n == nil || n.State != Retrying || n.Note != "waits 5s" {
		t.Errorf("the first that waits is %+v", n)
	}
	if n := byID["run/200"]; n == nil || n.Ran != time.Minute {
		t.Errorf("one that runs is %+v", n)
	}
}

func TestCallersNestSubRuns(t *testing.T) {
	row := func(seq int64, task string, s api.State, up ...string) api.TaskRun {
		out := api.TaskRun{ID: fmt.Sprint("r/", seq), Task: task, Name: fmt.Sprint(task, "-", seq), Seq: seq, Index: -1, State: s}
		for _, id := range up {
			out.Upstream = append(out.Upstream, api.Upstream{TaskRun: id})
		}
		return out
	}
	callers := map[string]string{"r/1": "r/0", "r/2": "r/0", "r/3": "r/2", "r/4": "r/9"}
	f := &Facts{
		Run:  api.Run{ID: "r", State: api.Running, Tasks: map[string]api.TaskCounts{"add": {Completed: 40}}},
		Spec: &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "flow"}}, {Call: &api.Call{Task: "add"}}}},
		TaskRuns: []api.TaskRun{
			row(3, "add", api.Running, "r/2", "r/0"), row(0, "flow", api.Running), row(1, "add", api.Completed), row(2, "sub", api.Running, "r/1", "gone"),
			row(4, "add", api.Completed),
		},
	}
	for i := range f.TaskRuns {
		f.TaskRuns[i].Caller = callers[f.TaskRuns[i].ID]
	}
	g := FromRun(f)
	x, err := indexOf(g)
	if err != nil {
		t.Fatal(err)
	}
	for id, in := range map[string]string{"r/1": "steps[0]", "r/2": "steps[0]", "r/3": "r/2", "r/4": ""} {
		if n := g.Nodes[x.at[id]]; n.In != in {
			t.Errorf("%s stands in %q, want %q", id, n.In, in)
		}
	}
	if n := g.Nodes[x.at["r/2"]]; n.Kind != SubRun || len(n.After) != 1 || n.After[0] != "r/1" {
		t.Errorf("what called others is %+v", n)
	}
	if n := g.Nodes[x.at["r/3"]]; len(n.After) != 0 {
		t.Errorf("a call comes after what it stands in: %v", n.After)
	}
}

// flowOf is a run of a flow that made many calls, and one after all of them.
func flowOf(calls int) *Facts {
	f := &Facts{
		Run:      api.Run{ID: "r", State: api.Completed, Tasks: map[string]api.TaskCounts{"load": {Completed: int64(calls)}, "sum": {Completed: 1}}},
		Spec:     &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "flow"}}}},
		TaskRuns: []api.TaskRun{{ID: "r/0", Task: "flow", State: api.Completed, Index: -1}},
	}
	sum := api.TaskRun{ID: "r/sum", Task: "sum", Name: "sum-0", Seq: int64(calls + 1), State: api.Completed, Index: -1}
	for i := range calls {
		row := api.TaskRun{ID: fmt.Sprint("r/", i+1), Task: "load", Name: fmt.Sprint("load-", i), Seq: int64(i + 1), State: api.Completed, Index: -1}
		f.TaskRuns = append(f.TaskRuns, row)
		sum.Upstream = append(sum.Upstream, api.Upstream{TaskRun: row.ID}, api.Upstream{TaskRun: row.ID})
	}
	f.TaskRuns = append(f.TaskRuns, sum)
	return f
}

func TestCallAfterManyComesAfterEachOnce(t *testing.T) {
	g := FromRun(flowOf(10))
	if last := g.Nodes[len(g.Nodes)-1]; last.ID != "r/sum" || len(last.After) != 10 {
		t.Errorf("the last is %+v", last)
	}
	wantBrief(t, collapsed(t, g, Fold{}), "steps[0]: 11 completed", "steps[0]/load in steps[0]: 10 completed",
		"r/sum in steps[0]: completed after steps[0]/load")
}

func BenchmarkFromRun(b *testing.B) {
	for name, f := range map[string]*Facts{"wide": wideRun(), "all rows": flowOf(100_000)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Collapse(FromRun(f), Fold{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRender(b *testing.B) {
	g := hundredThousand("layers")
	for name, write := range map[string]func(*Graph) (string, error){
		"mermaid": Mermaid, "dot": DOT,
		"text": func(g *Graph) (string, error) { return Text(g, TextOptions{Width: 100}) },
		"tree": func(g *Graph) (string, error) { return Tree(g, TextOptions{Width: 100}) },
		"svg":  func(g *Graph) (string, error) { return svg(b, g), nil },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := write(g); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
