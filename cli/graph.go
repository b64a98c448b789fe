package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// The server draws: a command asks for a format, and prints it.

// drawing is the flags that say how to draw.
type drawing struct {
	format   string
	open     []string
	problems bool
	flow     bool
}

func newRunGraphCmd(env *Env) *cobra.Command {
	var d drawing
	c := &cobra.Command{
		Use: "graph RUN|FLOW", Short: "Draw a run, or with --flow a task or flow before it runs",
		Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		Example: `  runnel run graph @last
  runnel run graph @last --open load --format svg > run.svg
  runnel run graph --flow etl --format mermaid`,
		RunE: func(cmd *cobra.Command, args []string) error { return env.draw(cmd, args[0], &d) },
	}
	f := c.Flags()
	f.StringVar(&d.format, "format", "text", "text, mermaid, dot, svg or json")
	f.StringSliceVar(&d.open, "open", nil, "names or ids of groups to show with what stands in them")
	f.BoolVar(&d.problems, "problems", false, "leave out what has completed")
	f.BoolVar(&d.flow, "flow", false, "the argument is the name of a task or flow")
	return c
}

func newRunTreeCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "tree RUN", Short: "Print what stands in what: groups, flows and their calls, completed ones folded",
		Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.draw(cmd, args[0], &drawing{format: "tree"})
		},
	}
}

// draw prints what the server draws.
func (env *Env) draw(cmd *cobra.Command, name string, d *drawing) error {
	ctx := cmd.Context()
	path := "/flows/" + url.PathEscape(name) + "/graph"
	var c *httpapi.Client
	var err error
	if d.flow {
		c, err = env.connect(ctx, look)
	} else {
		var id string
		c, id, err = env.run(ctx, look, name)
		path = "/runs/" + id + "/graph"
	}
	if err != nil {
		return err
	}
	q := url.Values{"format": {d.format}}
	for _, open := range d.open {
		q.Add("open", open)
	}
	if d.problems {
		q.Set("problems", "true")
	}
	if env.printer.width >= minDrawn {
		q.Set("width", strconv.Itoa(min(env.printer.width, maxDrawn)))
	}
	var text json.RawMessage
	if err := c.Do(ctx, http.MethodGet, path, q, nil, &text); err != nil {
		return err
	}
	_, err = env.Out.Write(text)
	return err
}

// How wide text may be drawn.
const minDrawn, maxDrawn = 20, 1000
