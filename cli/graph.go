package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

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
	fold     string
}

func newRunGraphCmd(env *Env) *cobra.Command {
	var d drawing
	c := &cobra.Command{
		Use: "graph RUN|FLOW", Short: "Draw a run, or a task or flow before it runs",
		Args: exactly("RUN|FLOW"), ValidArgsFunction: env.completeRuns,
		Long: `Draw a run, or a task or flow before it runs. What can't be the beginning of a run's
id is the name of a task or flow; --flow says so of what can.`,
		Example: `  runnel run graph @last
  runnel run graph @last --open load --format svg > run.svg
  runnel run graph etl --format mermaid`,
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
	d := drawing{format: "tree"}
	var follow bool
	c := &cobra.Command{
		Use: "tree RUN", Short: "Print what stands in what: groups, flows and their calls",
		Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		Long: `Print what stands in what: groups, flows and their calls. What has completed is not
gone into, and several such next to each other are one line, but with --fold none.
With -f it is drawn again each time that it has changed, until the run ends: in place
on a terminal, and elsewhere below the one before.`,
		Example: "  runnel run tree @last --fold none\n  runnel run tree @last -f",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !oneOf(d.fold, "completed none"):
				return usagef("--fold %s: want completed or none", d.fold)
			case follow:
				return env.followTree(cmd.Context(), args[0], &d)
			}
			return env.draw(cmd, args[0], &d)
		},
	}
	c.Flags().StringVar(&d.fold, "fold", "completed", "what is not gone into: completed, or none")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run ends")
	_ = c.RegisterFlagCompletionFunc("fold", cobra.FixedCompletions([]string{"completed", "none"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}

// followTree draws a run again and again.
func (env *Env) followTree(ctx context.Context, run string, d *drawing) error {
	c, id, err := env.run(ctx, work, run)
	if err != nil {
		return err
	}
	on := canvas{out: env.Out}
	var last string
	_, err = env.attend(ctx, c, id, watchEvery, func(*httpapi.RunDetail) error {
		text, err := env.drawn(ctx, c, "/runs/"+id+"/graph", d)
		if err != nil || string(text) == last {
			return err
		}
		between := ""
		if last != "" {
			between = "\n"
		}
		last = string(text)
		if env.printer.width > 0 {
			return on.screen(last)
		}
		_, err = io.WriteString(env.Out, between+last)
		return err
	})
	return err
}

// draw prints what the server draws.
func (env *Env) draw(cmd *cobra.Command, name string, d *drawing) error {
	ctx := cmd.Context()
	path := "/flows/" + url.PathEscape(name) + "/graph"
	var c *httpapi.Client
	var err error
	if d.flow || !mayBeRun(name) {
		c, err = env.connect(ctx, look)
	} else {
		var id string
		c, id, err = env.run(ctx, look, name)
		path = "/runs/" + id + "/graph"
	}
	if err != nil {
		return err
	}
	text, err := env.drawn(ctx, c, path, d)
	if err != nil && strings.HasPrefix(path, "/flows/") {
		return missing(ctx, c, "flow", name, err)
	}
	if err != nil {
		return err
	}
	_, err = env.Out.Write(text)
	return err
}

// drawn has the server draw.
func (env *Env) drawn(ctx context.Context, c *httpapi.Client, path string, d *drawing) (text json.RawMessage, err error) {
	q := url.Values{"format": {d.format}}
	setIf(q, "fold", d.fold)
	for _, open := range d.open {
		q.Add("open", open)
	}
	if d.problems {
		q.Set("problems", "true")
	}
	if env.printer.width >= minDrawn {
		q.Set("width", strconv.Itoa(min(env.printer.width, maxDrawn)))
	}
	err = c.Do(ctx, http.MethodGet, path, q, nil, &text)
	return text, err
}

// How wide text may be drawn.
const minDrawn, maxDrawn = 20, 1000
