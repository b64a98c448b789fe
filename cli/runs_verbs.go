package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// verb is what can be done to runs.
type verb struct{ name, short string }

// asked is how a verb was asked for.
type asked struct {
	choice

	reason string
	dryRun bool
	again  retried
}

func newVerbCmd(env *Env, v verb) *cobra.Command {
	var a asked
	c := &cobra.Command{
		Use: v.name + " RUN… | --filter Q | --state S …", Short: v.short, ValidArgsFunction: env.completeRuns,
		Long: v.short + `.

Without RUN the flags choose runs, and the command asks before it begins. It
exits with 8 if some of the runs did not allow it.`,
		RunE: func(cmd *cobra.Command, args []string) error { return env.act(cmd.Context(), v, &a, args) },
	}
	a.flags(c)
	c.Flags().StringVar(&a.filter, "filter", "", "that this `text` chooses, see: runnel help filters")
	c.Flags().StringVar(&a.reason, "reason", "", "`text` for the log of who changed what")
	c.Flags().BoolVar(&a.dryRun, "dry-run", false, "only say which runs they would be")
	if v.name == "retry" {
		a.again.flags(c)
	}
	return c
}

func (env *Env) act(ctx context.Context, v verb, a *asked, args []string) error {
	since, until, empty, err := a.check(env)
	switch {
	case err != nil:
		return err
	case len(args) > 0 && !empty:
		return usagef("give runs, or the flags that choose runs, not both")
	case len(args) == 0 && empty:
		return usagef("which runs? Give RUN, or --filter, --state, --name, --since, --until")
	case a.again.from != "" && (len(args) != 1 || a.dryRun):
		return usagef("--from is of one run: give RUN, and no --dry-run")
	}
	c, err := env.connect(ctx, look)
	if err != nil {
		return err
	}
	if len(args) == 1 && !a.dryRun {
		return env.actOnOne(ctx, c, v, args[0], a)
	}
	r := httpapi.OperationRequest{Action: a.again.action(v.name), Q: a.filter, Reason: a.reason, State: a.states, Name: a.name, Since: since, Until: until}
	for _, text := range args {
		id, err := runID(ctx, c, text)
		if err != nil {
			return err
		}
		r.IDs = append(r.IDs, id)
	}
	return env.operate(ctx, c, r, &many{noun: "runs", verb: v.name, dryRun: a.dryRun, chosen: len(args) == 0, asks: v.name == "delete"})
}

// many is how the same is done to many.
type many struct {
	noun, verb string
	dryRun     bool
	chosen     bool // by flags: whoever does it is asked
	asks       bool // they are asked in any case
}

// operate asks for an operation, and follows it to its end.
func (env *Env) operate(ctx context.Context, c *httpapi.Client, r httpapi.OperationRequest, m *many) error {
	r.DryRun = true
	plan, err := c.Operate(ctx, r)
	if err != nil {
		return err
	}
	if m.dryRun {
		return env.showOperation(&plan)
	}
	if plan.Total == 0 {
		env.note("no " + m.noun + " are chosen")
		return nil
	}
	if m.chosen || m.asks {
		question := fmt.Sprintf("%s %s %s (%s)?", m.verb, env.printer.number(int64(plan.Total)), m.noun, sample(&plan))
		if err := env.confirm(question, m.chosen); err != nil {
			return err
		}
	}
	r.DryRun = false
	o, err := c.Operate(ctx, r)
	if err != nil {
		return err
	}
	return env.follow(ctx, c, o.ID)
}

func sample(o *httpapi.Operation) string {
	text := strings.Join(o.Sample[:min(len(o.Sample), 3)], ", ")
	if o.Total > 3 {
		text += ", …"
	}
	return text
}

func (env *Env) actOnOne(ctx context.Context, c *httpapi.Client, v verb, text string, a *asked) error {
	header := because(a.reason)
	id, err := runID(ctx, c, text)
	if err != nil {
		return err
	}
	if v.name == "delete" {
		if err := env.confirm(fmt.Sprintf("delete run %s with all that belongs to it?", id), false); err != nil {
			return err
		}
		if _, _, err := send(ctx, c, http.MethodDelete, at("runs/%", id), header, nil); err != nil {
			return err
		}
		env.say("deleted run %s", id)
		return nil
	}
	var raw []byte
	raw, _, err = send(ctx, c, http.MethodPost, at("runs/%/"+v.name, id), header, a.again.request())
	if err != nil {
		return hinted(err, "see: runnel run show %s", id)
	}
	var r api.Run
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	if env.flags.quiet && env.printer.people() {
		return nil
	}
	return env.printer.one(raw, id, func(f *facts) {
		f.line("run", id)
		f.painted("state", env.printer.state(r.State), states[r.State].color)
	})
}

// operationEvery is how often an operation is asked how far it has got.
const operationEvery = 200 * time.Millisecond

// follow shows an operation's progress to its end.
func (env *Env) follow(ctx context.Context, c *httpapi.Client, id string) error {
	_, tty := terminal(env.Err)
	tick := time.NewTicker(operationEvery)
	defer tick.Stop()
	for {
		o, err := c.Operation(ctx, id)
		if err != nil {
			return err
		}
		if tty && !env.flags.quiet {
			_, _ = io.WriteString(env.Err, fmt.Sprintf("\r%s %d of %d", o.Action, o.Done+o.Failed, o.Total)) // only a picture
		}
		if o.State != "running" {
			if tty && !env.flags.quiet {
				_, _ = io.WriteString(env.Err, "\r\x1b[K")
			}
			return env.operationEnd(&o)
		}
		select {
		case <-ctx.Done():
			env.note("the operation goes on; see: runnel operation show %s", id)
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (env *Env) operationEnd(o *httpapi.Operation) error {
	if err := env.showOperation(o); err != nil {
		return err
	}
	switch {
	case o.Failed == 0 && o.Done == o.Total:
		return nil
	case o.Done == 0 && o.Failed > 0:
		return ended(exitConflict, "none of them allowed it")
	}
	return ended(exitPartly, "partly done")
}
