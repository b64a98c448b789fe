package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/graphview"
)

// GraphQuery says what of a graph is shown, and how.
type GraphQuery struct {
	Open     []string `query:"open,explode" doc:"Ids or names of what is shown with what stands in it"`
	Problems bool     `query:"problems" doc:"Leave out what has completed"`
	Format   string   `query:"format" enum:"json,text,tree,mermaid,dot,svg" default:"json" doc:"json has coordinates to draw from"`
	Fold     string   `query:"fold" enum:"completed,none" default:"completed" doc:"Of a tree: what is not gone into, and is one line if there are several"`
	Width    int      `query:"width" minimum:"20" maximum:"1000" default:"100" doc:"Of text and tree, in characters"`
}

type (
	graphInput struct {
		RunPath
		GraphQuery

		Match string `header:"If-None-Match"`
	}
	flowGraphInput struct {
		NamePath
		GraphQuery
	}
	planGraphInput struct {
		GraphQuery

		Body SubmitRequest
	}
)

// drawnTasks is how many task runs are drawn at most, and beyond them how many that
// have not ended well. The rest is in the counts.
const drawnTasks = 20_000

func (a *routes) graphRoutes(api huma.API) {
	const group = "runs"
	do(a, api, drawings(op(http.MethodGet, "/runs/{id}/graph", "get-graph", group, "Draw a run: one node for each task name or group, with counts by state")), a.runGraph)
	do(a, api, drawings(op(http.MethodGet, "/flows/{name}/graph", "get-flow-graph", "server", "Draw a task or flow as it would run")), a.flowGraph)
	do(a, api, drawings(op(http.MethodPost, "/graph", "draw-pipeline", group, "Draw a pipeline before it runs; nothing is submitted")), a.planGraph)
}

// drawings describes the response.
func drawings(o huma.Operation) huma.Operation {
	o.Responses = map[string]*huma.Response{"200": {
		Description: "A drawing in the format that was asked for",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}, "text/plain": {}, "image/svg+xml": {},
		},
	}}
	return o
}

type drawing struct {
	Status int
	Type   string `header:"Content-Type"`
	ETag   string `header:"ETag"`
	Body   []byte
}

func (a *routes) runGraph(ctx context.Context, in *graphInput) (*drawing, error) {
	run, err := a.svc().Status(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	text, err := a.svc().Request(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	facts := graphview.Facts{Run: run, Now: a.now()}
	if spec, err := api.ParseSpec(text); err == nil {
		facts.Spec = spec
	}
	took := make(map[string][]time.Duration)
	for t, err := range a.svc().TaskRuns(ctx, api.TaskRunFilter{Run: in.ID}) {
		if err != nil {
			return nil, err
		}
		if t.State == api.Completed && !t.Started.IsZero() {
			took[t.Task] = append(took[t.Task], t.Finished.Sub(t.Started))
		}
		if n := len(facts.TaskRuns); n < drawnTasks || n < 2*drawnTasks && t.State != api.Completed {
			t.Result = nil // not drawn, and there may be much of it
			facts.TaskRuns = append(facts.TaskRuns, t)
		}
	}
	facts.Usual = medians(took)
	out, err := in.draw(graphview.FromRun(&facts))
	if err != nil {
		return nil, err
	}
	return out.unless(in.Match), nil
}

// medians gives the one in the middle of each, and sorts them.
func medians(took map[string][]time.Duration) map[string]time.Duration {
	middle := make(map[string]time.Duration, len(took))
	for name, all := range took {
		slices.Sort(all)
		middle[name] = all[len(all)/2]
	}
	return middle
}

// unless leaves out what the client has already.
func (d *drawing) unless(match string) *drawing {
	sum := sha256.Sum256(d.Body)
	d.ETag = `"` + hex.EncodeToString(sum[:12]) + `"`
	if match == d.ETag {
		return &drawing{Status: http.StatusNotModified, ETag: d.ETag}
	}
	return d
}

func (a *routes) flowGraph(ctx context.Context, in *flowGraphInput) (*drawing, error) {
	flow, err := a.getFlow(ctx, &in.NamePath)
	if err != nil {
		return nil, err
	}
	name := flow.Body.Name
	return in.draw(graphview.FromPlan(name, &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: name}}}}))
}

func (a *routes) planGraph(_ context.Context, in *planGraphInput) (*drawing, error) {
	spec, err := in.Body.spec()
	if err != nil {
		return nil, err
	}
	return in.draw(graphview.FromPlan(in.Body.Name, spec))
}

func (q *GraphQuery) draw(g *graphview.Graph) (*drawing, error) {
	fold := graphview.Fold{Open: q.Open, Problems: q.Problems}
	if q.Format == "tree" { // it folds by itself
		text, err := graphview.Tree(g, graphview.TextOptions{Width: q.Width, Fold: q.Fold != "none"})
		return drawn(textPlain, text, err)
	}
	g, err := graphview.Collapse(g, fold)
	if err != nil {
		return nil, err
	}
	switch q.Format {
	case "text":
		text, err := graphview.Text(g, graphview.TextOptions{Width: q.Width})
		return drawn(textPlain, text, err)
	case "mermaid":
		text, err := graphview.Mermaid(g)
		return drawn(textPlain, text, err)
	case "dot":
		text, err := graphview.DOT(g)
		return drawn(textPlain, text, err)
	}
	d, err := graphview.Lay(g)
	if err != nil {
		return nil, err
	}
	if q.Format == "svg" {
		return drawn("image/svg+xml", d.SVG(), nil)
	}
	if d.Critical, d.CriticalMS, err = critical(g); err != nil {
		return nil, err
	}
	text, err := json.Marshal(d)
	return drawn("application/json", string(text), err)
}

// critical gives the chain that takes longest, and for how long.
func critical(g *graphview.Graph) ([]string, int64, error) {
	ids, d, err := graphview.CriticalPath(g)
	if d == 0 {
		return nil, 0, err // nothing has run: none is longer than another
	}
	return ids, d.Milliseconds(), err
}

const textPlain = "text/plain; charset=utf-8"

func drawn(kind, text string, err error) (*drawing, error) {
	if err != nil {
		return nil, err
	}
	return &drawing{Status: http.StatusOK, Type: kind, Body: []byte(text)}, nil
}
