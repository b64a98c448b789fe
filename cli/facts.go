package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newFlowCmd(env *Env) *cobra.Command {
	return group("flow", "The tasks and flows that are registered", []string{"flows"}, newFlowLsCmd(env), newFlowShowCmd(env))
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

func newFlowLsCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List registered tasks and flows", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			return printList(env, flowTable, whole(cmd.Context(), c, "/flows"))
		},
	}
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
				return hinted(err, "see: runnel flow ls")
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

func newQueueCmd(env *Env) *cobra.Command {
	return group("queue", "Queues of tasks", []string{"queues"}, newRowsCmd(env, "List queues", "/queues", "no queues"))
}

func newWorkerCmd(env *Env) *cobra.Command {
	return group("worker", "Processes that work", []string{"workers"},
		newRowsCmd(env, "List processes that work on the database", "/workers", "no workers"))
}

// newRowsCmd lists objects by the fields that they have.
func newRowsCmd(env *Env, short, path, empty string) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: short, Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			list := whole(cmd.Context(), c, path)
			if !env.printer.people() && env.printer.format != "csv" {
				return printList(env, table[fields]{id: fieldsName}, list)
			}
			return printFields(env, list, empty)
		},
	}
}

// fields are an object's, in the order in which it has them.
type fields struct {
	names  []string
	values map[string]json.RawMessage
}

func (f *fields) UnmarshalJSON(text []byte) error {
	f.values = map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &f.values); err != nil {
		return err
	}
	f.names = keysInOrder(text)
	return nil
}

// keysInOrder gives the names of an object's fields as they stand in it.
func keysInOrder(object []byte) (names []string) {
	dec := json.NewDecoder(bytes.NewReader(object))
	_, _ = dec.Token() // it was read before: there is no error
	for dec.More() {
		key, err := dec.Token()
		var skip json.RawMessage
		if err != nil || dec.Decode(&skip) != nil {
			return names
		}
		names = append(names, fmt.Sprint(key))
	}
	return names
}

func (f fields) name() string { return f.text("name") }

func (f fields) text(name string) string {
	v := f.values[name]
	var s string
	var list []string
	switch {
	case v == nil:
		return ""
	case json.Unmarshal(v, &s) == nil:
		return s
	case json.Unmarshal(v, &list) == nil:
		return strings.Join(list, ",")
	}
	return string(v)
}

// printFields makes a table of objects whose fields are not known here.
func printFields(env *Env, list iter.Seq2[json.RawMessage, error], empty string) error {
	var rows []json.RawMessage
	var names []string
	for raw, err := range list {
		if err != nil {
			return err
		}
		rows = append(rows, raw)
		for _, name := range keysInOrder(raw) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	t := table[fields]{id: fieldsName, empty: empty}
	for _, name := range names {
		t.columns = append(t.columns, column[fields]{
			name: strings.ToUpper(spaced(name)), value: func(_ *printer, f *fields) string { return f.text(name) },
		})
	}
	return printList(env, t, func(yield func(json.RawMessage, error) bool) {
		for _, raw := range rows {
			if !yield(raw, nil) {
				return
			}
		}
	})
}

func fieldsName(f *fields) string { return f.name() }

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
	all, err := json.Marshal(status{Server: raw, Live: live, More: more})
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
		var parts []string
		for _, state := range slices.Sorted(maps.Keys(live)) {
			parts = append(parts, fmt.Sprintf("%d %s", live[state], state))
		}
		if more {
			parts = append(parts, "and more")
		}
		f.line("live runs", strings.Join(append(parts, "none")[:max(len(parts), 1)], ", "))
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
	for raw, err := range pages(cmd.Context(), c, "/runs", map[string][]string{"state": liveStates}, countedRuns+1) {
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
