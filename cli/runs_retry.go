package cli

import (
	"context"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// retried is what of runs is to run again.
type retried struct {
	failed, all bool
	from        string
}

func (r *retried) flags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&r.failed, "failed", false, "what failed, was cancelled or never ran; this is the default")
	f.BoolVar(&r.all, "all", false, "all of it, with the same inputs, also if it has completed")
	f.StringVar(&r.from, "from", "", "this `task` run and all that comes after it, also if it has completed: its number, or the name of its task")
	c.MarkFlagsMutuallyExclusive("failed", "all", "from")
	c.Long += `

What has completed stays, unless --all or --from says otherwise; with --from so does
what has failed and does not come after TASK. See: runnel docs states`
	c.Example = "  runnel run retry @last-failed\n  runnel run retry @last --from load\n  runnel run retry --all --filter 'name:etl since:24h'"
}

// action is what an operation calls it.
func (r *retried) action(verb string) string {
	if r.all {
		return "retry-all"
	}
	return verb
}

// request is what is sent for one run, nil for what is done by default.
func (r *retried) request() any {
	switch {
	case r.all:
		return httpapi.RetryRequest{What: "all"}
	case r.from != "":
		return httpapi.RetryRequest{From: r.from}
	}
	return nil
}

// taskVerb is what can be done to task runs.
type taskVerb struct{ name, short, long, done string }

// chosenTasks is the flags that choose task runs.
type chosenTasks struct {
	states       []string
	task, filter string
	reason       string
	dryRun       bool
}

func newTaskVerbCmd(env *Env, v taskVerb) *cobra.Command {
	var a chosenTasks
	c := &cobra.Command{
		Use: v.name + " RUN/SEQ… | --filter Q | --state S …", Short: v.short,
		Long: v.long + `

Without RUN/SEQ the flags choose task runs, and the command asks before it begins. It
exits with 8 if some of them did not allow it.`,
		RunE: func(cmd *cobra.Command, args []string) error { return env.actOnTasks(cmd.Context(), v, &a, args) },
	}
	f := c.Flags()
	f.StringVar(&a.filter, "filter", "", "that this `text` chooses, see: runnel help filters")
	f.StringSliceVar(&a.states, "state", nil, "in one of these `states`, such as failed")
	f.StringVar(&a.task, "task", "", "of the task of this `name`")
	f.StringVar(&a.reason, "reason", "", "`text` for the log of who changed what")
	f.BoolVar(&a.dryRun, "dry-run", false, "only say which they would be")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(stateWords(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}

func (env *Env) actOnTasks(ctx context.Context, v taskVerb, a *chosenTasks, args []string) error {
	ch := choice{states: a.states}
	_, _, _, err := ch.check(env) //nolint:dogsled // the states are looked at
	empty := a.filter == "" && len(a.states) == 0 && a.task == ""
	switch {
	case err != nil:
		return err
	case len(args) > 0 && !empty:
		return usagef("give task runs, or the flags that choose some, not both")
	case len(args) == 0 && empty:
		return usagef("which task runs? Give RUN/SEQ, or --filter, --state, --task")
	}
	c, err := env.connect(ctx, look)
	if err != nil {
		return err
	}
	if len(args) == 1 && !a.dryRun {
		return env.actOnTask(ctx, c, v, args[0], a.reason)
	}
	r := httpapi.OperationRequest{Target: "tasks", Action: v.name, Q: a.filter, State: a.states, Name: a.task, Reason: a.reason}
	for _, text := range args {
		path, err := taskPath(ctx, c, text)
		if err != nil {
			return err
		}
		run, seq, _ := strings.Cut(strings.TrimPrefix(path, "/runs/"), "/tasks/")
		r.IDs = append(r.IDs, run+"/"+seq)
	}
	return env.operate(ctx, c, r, &many{noun: "task runs", verb: v.name, dryRun: a.dryRun, chosen: len(args) == 0})
}

func (env *Env) actOnTask(ctx context.Context, c *httpapi.Client, v taskVerb, text, reason string) error {
	path, err := taskPath(ctx, c, text)
	if err != nil {
		return err
	}
	raw, _, err := send(ctx, c, http.MethodPost, strings.TrimPrefix(path, "/")+"/"+v.name, because(reason), nil)
	if err != nil {
		return hinted(err, "see: runnel task show %s", text)
	}
	if !env.printer.people() {
		return env.printer.one(raw, text, nil)
	}
	env.say("%s %s", v.done, text)
	return nil
}

func newTaskCancelCmd(env *Env) *cobra.Command {
	return newTaskVerbCmd(env, taskVerb{
		name: "cancel", short: "Cancel task runs: for what follows their steps have failed", done: "cancelled task run",
		long: `Cancel task runs of live runs: their bodies are told to end, or they never begin. For
what follows, their steps have failed.`,
	})
}

func newTaskRetryCmd(env *Env) *cobra.Command {
	return newTaskVerbCmd(env, taskVerb{
		name: "retry", short: "Run task runs of runs that have ended again, and all that comes after them", done: "run again from task run",
		long: `Run a task run of a run that has ended again, and all that comes after it. It may
have failed, completed or been cancelled. How the others ended stays, be it with a
failure; what was cancelled or never ran runs. See: runnel docs states`,
	})
}
