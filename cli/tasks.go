package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newTaskCmd(env *Env) *cobra.Command {
	c := group("task", "Look into task runs, and answer them", []string{"tasks"},
		newTaskLsCmd(env), newTaskShowCmd(env), newTaskWhyCmd(env), newTaskLogsCmd(env), newTaskResultCmd(env), newTaskCancelCmd(env), newTaskRetryCmd(env), newTaskSendCmd(env))
	c.Long = c.Short + `.

A task run is named RUN/SEQ, such as @last/0: its run, and its number in the run.`
	return c
}

var taskTable = table[api.TaskRun]{
	id: func(t *api.TaskRun) string { return t.ID }, empty: "no task runs",
	columns: []column[api.TaskRun]{
		{name: "STATE", value: func(p *printer, t *api.TaskRun) string { return p.state(t.State) }, color: func(t *api.TaskRun) string { return states[t.State].color }},
		{name: "TASK", value: func(_ *printer, t *api.TaskRun) string { return t.Task }},
		{name: "NAME", wide: true, value: func(_ *printer, t *api.TaskRun) string { return t.Name }},
		{name: "ID", value: func(_ *printer, t *api.TaskRun) string { return t.ID }},
		{name: "TAGS", value: func(_ *printer, t *api.TaskRun) string { return strings.Join(t.Tags, ",") }},
		{name: "ATTEMPT", right: true, value: func(_ *printer, t *api.TaskRun) string { return strconv.Itoa(t.Attempt) }},
		{name: "STARTED", value: func(p *printer, t *api.TaskRun) string { return p.moment(t.Started) }},
		{name: "TOOK", right: true, value: func(p *printer, t *api.TaskRun) string { return p.took(t.Started, t.Finished) }},
		{name: "WORKER", wide: true, value: func(_ *printer, t *api.TaskRun) string { return t.Worker }},
		{name: "WHY", value: func(_ *printer, t *api.TaskRun) string {
			if t.Failure != nil {
				text, _, _ := strings.Cut(t.Failure.Error(), "\n")
				return text
			}
			return t.Reason
		}},
	},
}

func newTaskLsCmd(env *Env) *cobra.Command {
	var run, task, order string
	var in, tags, anyTag, flows, workers []string
	var limit int
	c := &cobra.Command{
		Use: "ls [FILTER…]", Short: "List task runs, of a run or of all", ValidArgsFunction: env.completeFilter("tasks"),
		Example: "  runnel task ls --run @last\n  runnel task ls --state failed --tag db",
		RunE: func(cmd *cobra.Command, args []string) error {
			ch := choice{states: in}
			if _, _, _, err := ch.check(env); err != nil {
				return err
			}
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			q := url.Values{}
			for name, values := range map[string][]string{"state": in, "tag": tags, "any_tag": anyTag, "flow": flows, "worker": workers} {
				if len(values) > 0 {
					q[name] = values
				}
			}
			setIf(q, "task", task)
			setIf(q, "sort", order)
			setIf(q, "q", strings.Join(args, " "))
			path := "/tasks"
			if run != "" {
				id, err := runID(cmd.Context(), c, run)
				if err != nil {
					return err
				}
				path = at("/runs/%/tasks", id)
			}
			return printList(env, taskTable, httpapi.Pages[json.RawMessage](cmd.Context(), c, path, q, limit))
		},
	}
	f := c.Flags()
	f.StringVar(&run, "run", "", "of this `run`")
	f.StringVar(&task, "task", "", "of the task of this `name`")
	sortFlag(c, &order, "started", "ended", "duration")
	f.StringSliceVar(&in, "state", nil, "in one of these `states`")
	f.StringSliceVar(&tags, "tag", nil, "with all of these `tags`")
	f.StringSliceVar(&anyTag, "any-tag", nil, "with one of these `tags`")
	f.StringSliceVar(&flows, "flow", nil, "of runs that have called one of these `flows`, or tasks")
	f.StringArrayVar(&workers, "worker", nil, "whose body began last on a worker with this in its `name`")
	f.IntVar(&limit, "limit", 50, "how many at most; 0: all")
	_ = c.RegisterFlagCompletionFunc("run", env.completeRuns) // the flags are there
	_ = c.RegisterFlagCompletionFunc("flow", env.completeFlow)
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(stateWords(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func newTaskShowCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "show RUN/SEQ", Short: "Show a task run, with its history", Args: exactly("RUN/SEQ"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			path, err := taskPath(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			t, raw, err := read[api.TaskRun](cmd.Context(), c, path, nil)
			if err != nil {
				return err
			}
			return env.printer.one(raw, t.ID, func(f *facts) { env.showTask(f, &t) })
		},
	}
}

func (env *Env) showTask(f *facts, t *api.TaskRun) {
	p := &env.printer
	f.line("task", t.Task)
	f.line("name", t.Name)
	f.line("id", t.ID)
	f.painted("state", p.state(t.State), states[t.State].color)
	f.line("state name", t.StateName)
	f.line("tags", strings.Join(t.Tags, ", "))
	f.line("place", t.Place)
	f.line("called by", t.Caller)
	f.line("attempt", strconv.Itoa(t.Attempt))
	f.line("started", p.moment(t.Started))
	f.line("finished", p.moment(t.Finished))
	f.line("took", p.took(t.Started, t.Finished))
	f.line("why", t.Reason)
	f.line("worker", t.Worker)
	f.line("result", cut(string(t.Result), 200))
	f.line("error", first(t.Failure))
	if t.Cache != nil {
		f.line("cache key", t.Cache.Key)
		f.line("taken from", t.Cache.From)
	}
	var up, parts, history [][]string
	for _, u := range t.Upstream {
		up = append(up, []string{p.state(u.State), u.TaskRun})
	}
	for _, part := range t.Parts {
		parts = append(parts, []string{p.state(part.State), part.Task, p.took(part.Started, part.Ended)})
	}
	for _, h := range t.History {
		history = append(history, []string{p.iso(h.Time), p.state(h.State), h.Name, "attempt " + strconv.Itoa(h.Attempt), h.Message})
	}
	f.part("upstream", nil, up)
	f.part("parts", nil, parts)
	f.part("history", nil, history)
	if t.Failure != nil {
		f.text("stack", t.Failure.Stack)
	}
}

func newTaskWhyCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "why RUN[/SEQ]", Short: "Say what a task run, or a run, waits for", Args: exactly("RUN/SEQ"), ValidArgsFunction: env.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			var path string
			if strings.Contains(args[0], "/") {
				path, err = taskPath(cmd.Context(), c, args[0])
			} else {
				path, err = runID(cmd.Context(), c, args[0])
				path = at("/runs/%", path)
			}
			if err != nil {
				return err
			}
			w, raw, err := read[httpapi.WhyAnswer](cmd.Context(), c, path+"/why", nil)
			if err != nil {
				return err
			}
			return env.printer.one(raw, w.Text, func(f *facts) {
				f.line("why", w.Text)
				f.line("held by", w.TaskRun)
				var rows [][]string
				for _, s := range w.Slots {
					for _, holder := range s.Holders {
						rows = append(rows, []string{s.Tag, holder})
					}
				}
				for _, id := range w.TaskRuns {
					rows = append(rows, []string{"waits for", id})
				}
				f.part("holders", nil, rows)
			})
		},
	}
}

func newTaskLogsCmd(env *Env) *cobra.Command {
	var a logsAsked
	c := &cobra.Command{
		Use: "logs RUN/SEQ", Short: "Print what a task run's body wrote", Args: exactly("RUN/SEQ"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), a.why())
			if err != nil {
				return err
			}
			path, err := taskPath(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return env.logs(cmd.Context(), c, strings.TrimPrefix(path, "/")+"/logs", a)
		},
	}
	a.flags(c)
	return c
}

func newTaskResultCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "result RUN/SEQ", Short: "Print a task run's result", Args: exactly("RUN/SEQ"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			path, err := taskPath(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			_, raw, err := read[json.RawMessage](cmd.Context(), c, path+"/result", nil)
			if err != nil {
				return hinted(err, "see: runnel task show %s", args[0])
			}
			if env.printer.people() {
				return env.printer.json(raw, env.printer.width > 0)
			}
			return env.printer.one(raw, args[0], nil)
		},
	}
}

func newTaskSendCmd(env *Env) *cobra.Command {
	var result, failure, kind string
	c := &cobra.Command{
		Use: "send TOKEN --result JSON | --fail MESSAGE", Short: "Answer a task run that waits for an answer from outside", Args: exactly("TOKEN"),
		Long: `Answer a task run that waits for an answer from outside. TOKEN is what
runnel.Token gave to its body.`,
		Example: "  runnel task send \"$token\" --result '{\"approved\": true}'\n  runnel task send \"$token\" --fail 'not approved'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("result") == cmd.Flags().Changed("fail") {
				return usagef("what is the answer? Give --result or --fail")
			}
			if !json.Valid([]byte(result)) && failure == "" {
				return hinted(usagef("--result %s: this is no JSON", result), `text goes into quotes: --result '"text"'`)
			}
			// Whoever can look can answer; what follows is run by who runs the rest.
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("fail") {
				_, _, err = send(cmd.Context(), c, http.MethodPost, at("answers/%/fail", args[0]), nil, map[string]string{"message": failure, "type": kind})
			} else {
				_, _, err = send(cmd.Context(), c, http.MethodPost, at("answers/%/complete", args[0]), nil, map[string]json.RawMessage{"result": json.RawMessage(result)})
			}
			if err != nil {
				return err
			}
			env.say("answered")
			return nil
		},
	}
	c.Flags().StringVar(&result, "result", "", "its result, as `JSON`")
	c.Flags().StringVar(&failure, "fail", "", "the `message` that it fails with")
	c.Flags().StringVar(&kind, "type", "", "`name` of the kind of error, as RetryOn takes it")
	return c
}
