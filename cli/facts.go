package cli

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newFlowCmd(env *Env) *cobra.Command {
	return group("flow", "The tasks and flows that are registered", []string{"flows"}, newRowsCmd(env, flowTable, "List registered tasks and flows", "/flows"), newFlowShowCmd(env))
}

var flowTable = table[api.TaskInfo]{
	id: func(t *api.TaskInfo) string { return t.Name }, empty: "no tasks or flows are registered",
	columns: []column[api.TaskInfo]{
		{name: "NAME", value: func(_ *printer, t *api.TaskInfo) string { return t.Name }},
		{name: "KIND", value: func(_ *printer, t *api.TaskInfo) string { return t.Kind }},
		{name: "PARAMS", value: func(_ *printer, t *api.TaskInfo) string { return strings.Join(t.Params, ", ") }},
		{name: "RESULT", value: func(_ *printer, t *api.TaskInfo) string { return t.Result }},
		{name: "TAGS", value: func(_ *printer, t *api.TaskInfo) string { return strings.Join(t.Options.Tags, ",") }},
		{name: "PACKAGE", wide: true, value: func(_ *printer, t *api.TaskInfo) string { return t.Package }},
		{name: "DESCRIPTION", value: func(_ *printer, t *api.TaskInfo) string { return t.Description }},
	},
}

func newFlowShowCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show what is known of a task or flow", Args: exactly("NAME"), ValidArgsFunction: env.completeFlow,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			t, raw, err := read[api.TaskInfo](cmd.Context(), c, at("/flows/%", args[0]), nil)
			if err != nil {
				return missing(cmd.Context(), c, "flow", args[0], err)
			}
			return env.printer.one(raw, t.Name, func(f *facts) {
				f.line("name", t.Name)
				f.line("kind", t.Kind)
				f.line("description", t.Description)
				f.line("params", strings.Join(t.Params, ", "))
				f.line("result", t.Result)
				f.line("package", t.Package)
				f.line("key", t.Key)
				options, _ := json.Marshal(t.Options) // they came as JSON
				if text := string(options); text != "{}" {
					f.line("options", text)
				}
				f.line("start", "runnel run start "+t.Name+strings.Repeat(" ARG", len(t.Params)))
			})
		},
	}
}

var queueTable = table[api.Queue]{
	id: func(q *api.Queue) string { return q.Name }, empty: "no queues",
	columns: []column[api.Queue]{
		{name: "NAME", value: func(_ *printer, q *api.Queue) string { return q.Name }},
		{name: "READY", right: true, value: func(p *printer, q *api.Queue) string { return p.number(int64(q.Ready)) }},
		{name: "OLDEST", value: func(p *printer, q *api.Queue) string { return p.moment(q.Oldest) }},
		{name: "RUNNING", right: true, value: func(p *printer, q *api.Queue) string { return p.number(int64(q.Running)) }},
		{name: "WORKERS", right: true, value: func(p *printer, q *api.Queue) string { return p.number(int64(q.Workers)) }},
		{name: "PAUSED", value: func(p *printer, q *api.Queue) string { return p.moment(q.Paused) }},
	},
}

var workerTable = table[api.Worker]{
	id: func(w *api.Worker) string { return w.Name }, empty: "no workers",
	columns: []column[api.Worker]{
		{name: "NAME", value: func(_ *printer, w *api.Worker) string { return w.Name }},
		{name: "SINCE", value: func(p *printer, w *api.Worker) string { return p.moment(w.Since) }},
		{name: "BUSY", right: true, value: func(p *printer, w *api.Worker) string {
			if w.Silent {
				return "?"
			}
			return p.number(int64(w.Busy)) + "/" + p.number(int64(w.Concurrency))
		}},
		{name: "STATE", value: func(_ *printer, w *api.Worker) string { return workerState(w) }},
		{name: "FLOWS", right: true, value: func(p *printer, w *api.Worker) string { return p.number(int64(w.Flows)) }},
		{name: "QUEUES", value: func(_ *printer, w *api.Worker) string {
			if w.All {
				return "all"
			}
			return strings.Join(w.Queues, ",")
		}},
		{name: "TASKS", right: true, value: func(p *printer, w *api.Worker) string { return p.number(int64(len(w.Tasks))) }},
		{name: "ID", wide: true, value: func(_ *printer, w *api.Worker) string { return w.ID }},
	},
}

// newRowsCmd lists what comes in one piece.
func newRowsCmd[T any](env *Env, t table[T], short, path string) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: short, Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			return printList(env, t, whole(cmd.Context(), c, path))
		},
	}
}

func newStatusCmd(env *Env) *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use: "status", Short: "Say whether the server is well, and what is going on", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return env.status(cmd, wait) },
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until it is well; --timeout bounds that")
	return c
}

// status is what runnel status shows.
type status struct {
	Server json.RawMessage `json:"server"`
	Live   map[string]int  `json:"live_runs"`
	More   bool            `json:"more_live_runs,omitempty"`

	Oldest  time.Time    `json:"oldest_waiting,omitzero"` // since when the first of all queues has waited
	Queues  []api.Queue  `json:"queues"`
	Workers []api.Worker `json:"workers"`
}

// liveStates are those of runs that have not ended.
var liveStates = []string{"pending", "scheduled", "running", "paused", "cancelling"}

// countedRuns is how many live runs are counted.
const countedRuns = 1000

func (env *Env) status(cmd *cobra.Command, wait bool) error {
	ctx := cmd.Context()
	c, err := env.connect(ctx, look)
	if err != nil {
		return err
	}
	s, raw, err := read[httpapi.Server](ctx, c, "/server", nil)
	for wait && (err != nil && exitOf(ctx, err) == exitUnreachable || err == nil && !s.Health.Ready()) {
		if err := pause(ctx, watchPace); err != nil {
			return err
		}
		s, raw, err = read[httpapi.Server](ctx, c, "/server", nil)
	}
	if err != nil {
		return err
	}
	live, more, err := liveRuns(cmd, c)
	if err != nil {
		return err
	}
	st := status{Server: raw, Live: live, More: more}
	if st.Queues, err = c.Queues(ctx); err != nil {
		return err
	}
	if st.Workers, err = c.Workers(ctx); err != nil {
		return err
	}
	for _, q := range st.Queues {
		if !q.Oldest.IsZero() && (st.Oldest.IsZero() || q.Oldest.Before(st.Oldest)) {
			st.Oldest = q.Oldest
		}
	}
	all, err := json.Marshal(st)
	if err != nil {
		return err
	}
	at, err := env.place()
	if err != nil {
		return err
	}
	if err := env.printer.one(all, at.Server+at.DB, func(f *facts) {
		f.line("at", at.Server+at.DB)
		f.line("version", s.Version)
		if s.ReadOnly {
			f.line("read-only", "yes")
		}
		f.painted("health", map[bool]string{true: "ok", false: "not well"}[s.Health.Ready()], map[bool]string{true: "32", false: "31"}[s.Health.Ready()])
		f.line("live runs", liveText(live, more))
		f.line("oldest waiting", env.printer.moment(st.Oldest))
		o := overview{Queues: st.Queues, Workers: st.Workers}
		o.sort()
		env.showQueues(f, o.Queues)
		env.showWorkers(f, o.Workers)
	}); err != nil {
		return err
	}
	if !s.Health.Ready() {
		return ended(exitFailure, "not well")
	}
	return nil
}

func exitOf(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		return exitInterrupted
	}
	return exits[codeOf(err)]
}

func liveRuns(cmd *cobra.Command, c *httpapi.Client) (map[string]int, bool, error) {
	live, n := map[string]int{}, 0
	for raw, err := range httpapi.Pages[json.RawMessage](cmd.Context(), c, "/runs", map[string][]string{"state": liveStates}, countedRuns+1) {
		if err != nil {
			return nil, false, err
		}
		if n++; n > countedRuns {
			return live, true, nil
		}
		var r api.Run
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, false, err
		}
		live[strings.ToLower(r.State.String())]++
	}
	return live, false, nil
}
