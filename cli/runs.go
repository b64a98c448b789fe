package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newRunCmd(env *Env) *cobra.Command {
	c := group("run", "Start, follow and stop runs", []string{"runs"},
		newRunStartCmd(env), newRunLsCmd(env), newRunShowCmd(env), newRunWatchCmd(env), newRunLogsCmd(env),
		newRunResultCmd(env), newRunParamsCmd(env), newRunHistoryCmd(env), newRunEventsCmd(env), newRunDiffCmd(env), newRunGraphCmd(env), newRunTreeCmd(env),
		newVerbCmd(env, verb{"cancel", "Cancel runs: what runs is told to end, what waits does not begin"}),
		newVerbCmd(env, verb{"pause", "Pause runs: bodies end, nothing new begins"}),
		newVerbCmd(env, verb{"resume", "Go on with paused runs"}),
		newVerbCmd(env, verb{"retry", "Retry runs that have ended: what did not complete, all, or from a task run on"}),
		newVerbCmd(env, verb{"delete", "Delete runs that have ended, with all that belongs to them"}))
	c.Long = c.Short + `.

A run is named by its id, the beginning of it, @last or @last-failed.`
	return c
}

var runTable = table[api.Run]{
	id: func(r *api.Run) string { return r.ID }, empty: "no runs",
	columns: []column[api.Run]{
		{name: "STATE", value: func(p *printer, r *api.Run) string { return p.state(r.State) }, color: func(r *api.Run) string { return states[r.State].color }},
		{name: "NAME", value: func(_ *printer, r *api.Run) string { return r.Name }},
		{name: "ID", value: func(_ *printer, r *api.Run) string { return r.ID }},
		{name: "TASKS", right: true, value: func(p *printer, r *api.Run) string {
			return p.number(totals(r).Ended())
		}},
		{name: "FAILED", right: true, wide: true, value: func(p *printer, r *api.Run) string { return p.number(totals(r).Failed) }},
		{name: "RETRIES", right: true, wide: true, value: func(p *printer, r *api.Run) string { return p.number(totals(r).Retries) }},
		{name: "CREATED", value: func(p *printer, r *api.Run) string { return p.moment(r.Created) }},
		{name: "TOOK", right: true, value: func(p *printer, r *api.Run) string { return p.took(r.Created, r.Finished) }},
		{name: "SCHEDULE", wide: true, value: func(_ *printer, r *api.Run) string {
			if r.Schedule == nil {
				return ""
			}
			return r.Schedule.Name
		}},
		{name: "ERROR", value: func(_ *printer, r *api.Run) string { return first(r.Failure) }},
	},
}

// choice is the flags that choose runs.
type choice struct {
	states       []string
	flows        []string
	name, filter string
	since, until string
}

func (ch *choice) flags(c *cobra.Command) {
	c.Flags().StringSliceVar(&ch.states, "state", nil, "in one of these `states`, such as failed,crashed")
	c.Flags().StringVar(&ch.name, "name", "", "of this `name`")
	c.Flags().StringVar(&ch.since, "since", "", "created at or after this `time`, such as 2h, 2026-11-01 or yesterday")
	c.Flags().StringVar(&ch.until, "until", "", "created before this `time`")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(stateWords(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

func stateWords() []string {
	words := make([]string, 0, len(states))
	for s := range states {
		words = append(words, strings.ToLower(s.String()))
	}
	slices.Sort(words)
	return words
}

// check reads the flags; empty says that they choose nothing.
func (ch *choice) check(env *Env) (since, until time.Time, empty bool, err error) {
	for _, s := range ch.states {
		if !slices.Contains(stateWords(), strings.ToLower(s)) {
			return since, until, false, usagef("--state %s: want %s", s, strings.Join(stateWords(), ", "))
		}
	}
	if since, err = env.moment(ch.since); err != nil {
		return since, until, false, err
	}
	until, err = env.moment(ch.until)
	return since, until, len(ch.states) == 0 && ch.name == "" && ch.filter == "" && since.IsZero() && until.IsZero(), err
}

func newRunLsCmd(env *Env) *cobra.Command {
	var ch choice
	var order string
	var limit int
	c := &cobra.Command{
		Use: "ls [FILTER…]", Short: "List runs, newest first", ValidArgsFunction: env.completeFilter("runs"),
		Example: "  runnel run ls state:failed,crashed 'duration:>10m'\n  runnel run ls --state failed,crashed --since yesterday\n  runnel run ls -o json --limit 0",
		RunE: func(cmd *cobra.Command, args []string) error {
			since, until, _, err := ch.check(env)
			if err != nil {
				return err
			}
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			q := url.Values{}
			for _, s := range ch.states {
				q.Add("state", s)
			}
			for _, f := range ch.flows {
				q.Add("flow", f)
			}
			setIf(q, "name", ch.name)
			setIf(q, "sort", order)
			setIf(q, "q", strings.Join(args, " "))
			setTime(q, "since", since)
			setTime(q, "until", until)
			return printList(env, runTable, httpapi.Pages[json.RawMessage](cmd.Context(), c, "/runs", q, limit))
		},
	}
	ch.flags(c)
	c.Flags().StringSliceVar(&ch.flows, "flow", nil, "that have called one of these `flows`, or tasks")
	_ = c.RegisterFlagCompletionFunc("flow", env.completeFlow) // the flag is there
	c.Flags().IntVar(&limit, "limit", 50, "how many at most; 0: all")
	sortFlag(c, &order, "created", "ended", "duration")
	return c
}

// sortFlag is the flag that sorts a list by one of some fields.
func sortFlag(c *cobra.Command, order *string, fields ...string) {
	c.Flags().StringVar(order, "sort", "", "sort the newest 20,000 by this `field`: "+strings.Join(fields, ", ")+"; with - before it downwards")
	words := slices.Clone(fields)
	for _, f := range fields {
		words = append(words, "-"+f)
	}
	_ = c.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

func setIf(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func setTime(q url.Values, name string, t time.Time) {
	if !t.IsZero() {
		q.Set(name, t.UTC().Format(time.RFC3339Nano))
	}
}

func newRunShowCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "Show a run: its tasks by name, its failure, what it waits for", Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, id, err := env.run(cmd.Context(), look, args[0])
			if err != nil {
				return err
			}
			r, raw, err := read[httpapi.RunDetail](cmd.Context(), c, at("/runs/%", id), nil)
			if err != nil {
				return err
			}
			return env.printer.one(raw, r.ID, func(f *facts) { env.showRun(f, &r) })
		},
	}
}

// run gives a client, and the id of the run that is meant.
func (env *Env) run(ctx context.Context, why purpose, text string) (*httpapi.Client, string, error) {
	c, err := env.connect(ctx, why)
	if err != nil {
		return nil, "", err
	}
	id, err := runID(ctx, c, text)
	return c, id, err
}

func (env *Env) showRun(f *facts, r *httpapi.RunDetail) {
	p := &env.printer
	f.line("run", r.Name)
	f.line("id", r.ID)
	f.painted("state", p.state(r.State), states[r.State].color)
	if r.Generation > 0 {
		f.line("generation", p.number(int64(r.Generation)))
	}
	if r.Schedule != nil {
		f.line("schedule", r.Schedule.Name+", for "+p.iso(r.Schedule.At))
	}
	f.line("created", p.moment(r.Created))
	f.line("finished", p.moment(r.Finished))
	f.line("took", p.took(r.Created, r.Finished))
	f.line("why", r.Why)
	f.line("error", first(r.Failure))
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(r.Tasks)) {
		rows = append(rows, []string{name, p.counts(r.Tasks[name])})
	}
	f.part("tasks", nil, rows)
	if r.Failure != nil && len(r.Failure.Causes) > 1 {
		var causes [][]string
		for _, c := range r.Failure.Causes[:min(len(r.Failure.Causes), 10)] {
			causes = append(causes, []string{cmp.Or(c.TaskRun, c.Task), first(c)})
		}
		f.part("causes", nil, causes)
	}
	if r.Failure != nil {
		f.text("stack", r.Failure.Stack)
	}
}

func newRunResultCmd(env *Env) *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use: "result RUN", Short: "Print what a run has come to", Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			why := look
			if wait {
				why = work
			}
			c, id, err := env.run(cmd.Context(), why, args[0])
			if err != nil {
				return err
			}
			if wait {
				return env.await(cmd.Context(), c, id)
			}
			out, err := c.Result(cmd.Context(), id)
			if err != nil {
				return hinted(err, "--wait waits for its end; see: runnel run show %s", id)
			}
			return env.outcome(id, out)
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait for its end")
	return c
}

// await waits for a run's end and prints what it came to.
func (env *Env) await(ctx context.Context, c *httpapi.Client, id string) error {
	out, err := c.Wait(ctx, id)
	if err != nil {
		return err
	}
	return env.outcome(id, out)
}

// outcome prints a result, and gives the exit for a run that did not complete.
func (env *Env) outcome(id string, out httpapi.Outcome) error {
	if out.State == api.Completed || !env.printer.people() {
		if err := env.printOutcome(id, out); err != nil {
			return err
		}
	}
	return runEnd(id, out.State, out.Failure)
}

func (env *Env) printOutcome(id string, out httpapi.Outcome) error {
	result := out.Result
	if result == nil {
		result = json.RawMessage("null")
	}
	if env.printer.people() {
		return env.printer.json(result, env.printer.width > 0)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return env.printer.one(raw, id, nil)
}

// runEnd is the exit that a run's end has: 0 only if it completed.
func runEnd(id string, s api.State, failure *api.Failure) error {
	code, kind := exitRunFailed, api.Code("run_failed")
	switch s {
	case api.Completed:
		return nil
	case api.Cancelled, api.Crashed:
		code, kind = exitRunStopped, api.Code("run_"+strings.ToLower(s.String()))
	}
	text := "run " + id + " " + strings.ToLower(s.String())
	if why := first(failure); why != "" {
		text += ": " + why
	}
	return &fault{code: code, hint: "see: runnel run show " + id, cause: api.Errorf(&api.Error{Code: kind}, "", "%s", text)}
}

func newRunParamsCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "params RUN", Short: "Print what was submitted, as --file takes it", Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, id, err := env.run(cmd.Context(), look, args[0])
			if err != nil {
				return err
			}
			text, err := c.Request(cmd.Context(), id)
			if err != nil {
				return err
			}
			if env.printer.people() {
				return env.printer.json(text, env.printer.width > 0)
			}
			return env.printer.one(text, id, nil)
		},
	}
}
