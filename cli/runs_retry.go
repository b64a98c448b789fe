package cli

import (
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

// taskVerb is what can be done to a task run.
type taskVerb struct{ name, short, long, done string }

func newTaskVerbCmd(env *Env, v taskVerb) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: v.name + " RUN/SEQ", Short: v.short, Long: v.long, Args: exactly("RUN/SEQ"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			path, err := taskPath(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			header := http.Header{}
			if reason != "" {
				header.Set("X-Reason", reason)
			}
			raw, _, err := send(cmd.Context(), c, http.MethodPost, strings.TrimPrefix(path, "/")+"/"+v.name, header, nil)
			if err != nil {
				return hinted(err, "see: runnel task show %s", args[0])
			}
			if !env.printer.people() {
				return env.printer.one(raw, args[0], nil)
			}
			env.say("%s %s", v.done, args[0])
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	return c
}

func newTaskCancelCmd(env *Env) *cobra.Command {
	return newTaskVerbCmd(env, taskVerb{
		name: "cancel", short: "Cancel one task run: for what follows its step has failed", done: "cancelled task run",
	})
}

func newTaskRetryCmd(env *Env) *cobra.Command {
	return newTaskVerbCmd(env, taskVerb{
		name: "retry", short: "Run a task run of a run that has ended again, and all that comes after it", done: "run again from task run",
		long: `Run a task run of a run that has ended again, and all that comes after it. It may
have failed, completed or been cancelled. How the others ended stays, be it with a
failure; what was cancelled or never ran runs. See: runnel docs states`,
	})
}
