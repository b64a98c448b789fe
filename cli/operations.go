package cli

import (
	"encoding/json"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newOperationCmd(env *Env) *cobra.Command {
	return group("operation", "What is being done to many runs, task runs, kept results or schedules", []string{"operations"},
		newOperationLsCmd(env), newOperationShowCmd(env), newOperationWatchCmd(env), newOperationStopCmd(env))
}

var operationTable = table[httpapi.Operation]{
	id: func(o *httpapi.Operation) string { return o.ID }, empty: "no operations",
	columns: []column[httpapi.Operation]{
		{name: "ID", value: func(_ *printer, o *httpapi.Operation) string { return o.ID }},
		{name: "ACTION", value: func(_ *printer, o *httpapi.Operation) string { return o.Action }},
		{name: "TARGET", value: func(_ *printer, o *httpapi.Operation) string { return o.Target }},
		{name: "STATE", value: func(_ *printer, o *httpapi.Operation) string { return o.State }},
		{name: "DONE", right: true, value: func(p *printer, o *httpapi.Operation) string { return p.number(int64(o.Done)) }},
		{name: "FAILED", right: true, value: func(p *printer, o *httpapi.Operation) string { return p.number(int64(o.Failed)) }},
		{name: "TOTAL", right: true, value: func(p *printer, o *httpapi.Operation) string { return p.number(int64(o.Total)) }},
		{name: "CREATED", value: func(p *printer, o *httpapi.Operation) string { return p.moment(o.Created) }},
		{name: "REASON", value: func(_ *printer, o *httpapi.Operation) string { return o.Reason }},
	},
}

func newOperationLsCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List operations, newest first", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			return printList(env, operationTable, whole(cmd.Context(), c, "/operations"))
		},
	}
}

func newOperationShowCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show how far an operation has got", Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			o, err := c.Operation(cmd.Context(), args[0])
			if err != nil {
				return hinted(err, "see: runnel operation ls")
			}
			return env.showOperation(&o)
		},
	}
}

func newOperationWatchCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "watch ID", Short: "Follow an operation to its end", Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			return env.follow(cmd.Context(), c, args[0])
		},
	}
}

func newOperationStopCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "stop ID", Short: "Stop an operation; what it has done stays", Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			var o httpapi.Operation
			if err := c.Do(cmd.Context(), http.MethodPost, at("/operations/%/stop", args[0]), nil, nil, &o); err != nil {
				return hinted(err, "see: runnel operation ls")
			}
			return env.showOperation(&o)
		},
	}
}

func (env *Env) showOperation(o *httpapi.Operation) error {
	raw, err := json.Marshal(o)
	if err != nil {
		return err
	}
	p := &env.printer
	return p.one(raw, o.ID, func(f *facts) {
		f.line("operation", o.ID)
		f.line("action", o.Action)
		f.line("target", o.Target)
		f.line("state", o.State)
		f.line("filter", o.Q)
		f.line("by", o.Who)
		f.line("reason", o.Reason)
		f.line("total", p.number(int64(o.Total)))
		if o.State != "dry_run" {
			f.line("done", p.number(int64(o.Done)))
			f.line("failed", p.number(int64(o.Failed)))
		}
		if o.Resumed > 0 {
			f.line("taken over", p.number(int64(o.Resumed))+" times, from a server that had ended")
		}
		var some, errs [][]string
		for _, id := range o.Sample {
			some = append(some, []string{id})
		}
		if o.State == "dry_run" {
			f.part(o.Target, nil, some)
		}
		for _, e := range o.Errors[:min(len(o.Errors), 10)] {
			errs = append(errs, []string{e.ID, e.Message})
		}
		f.part("errors", nil, errs)
	})
}
