package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newGlobalLimitCmd(env *Env) *cobra.Command {
	return group("global-limit", "Limits that bodies use by name", []string{"global-limits", "gl"},
		newGlobalSetCmd(env), newGlobalDeleteCmd(env), newGlobalLsCmd(env), newGlobalReadCmd(env), newGlobalResetCmd(env),
		newGlobalActiveCmd(env, "enable", "Let a limit bound again", true), newGlobalActiveCmd(env, "disable", "Let a limit bound nothing for now", false))
}

var globalTable = table[api.GlobalLimit]{
	id: func(l *api.GlobalLimit) string { return l.Name }, empty: "no global limits",
	columns: []column[api.GlobalLimit]{
		{name: "NAME", value: func(_ *printer, l *api.GlobalLimit) string { return l.Name }},
		{name: "LIMIT", right: true, value: func(p *printer, l *api.GlobalLimit) string { return p.number(int64(l.Limit)) }},
		{name: "DECAY", right: true, value: func(_ *printer, l *api.GlobalLimit) string { return decay(l) }},
		{name: "ACTIVE", value: func(_ *printer, l *api.GlobalLimit) string {
			return map[bool]string{false: "yes", true: "no"}[l.Inactive]
		}},
		{name: "IN USE", right: true, value: func(p *printer, l *api.GlobalLimit) string { return p.number(int64(l.ActiveSlots)) }},
		{name: "WAITING", right: true, value: func(p *printer, l *api.GlobalLimit) string { return p.number(int64(l.Waiting)) }},
		{name: "UPDATED", value: func(p *printer, l *api.GlobalLimit) string { return p.moment(l.Updated) }},
	},
}

func decay(l *api.GlobalLimit) string {
	if l.Decay == 0 {
		return ""
	}
	return strconv.FormatFloat(l.Decay, 'g', -1, 64) + "/s"
}

func newGlobalSetCmd(env *Env) *cobra.Command {
	var rate float64
	c := &cobra.Command{
		Use: "set NAME N", Aliases: []string{"create"}, Short: "Create a limit, or change it", Args: exactly("NAME", "N"), ValidArgsFunction: env.completeGlobals,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := slots(args[1])
			if err != nil {
				return err
			}
			c, err := env.connect(cmd.Context(), change)
			if err != nil {
				return err
			}
			raw, status, err := send(cmd.Context(), c, http.MethodPut, at("global-limits/%", args[0]), nil,
				map[string]any{"limit": n, "slot_decay_per_second": rate})
			if err != nil {
				return err
			}
			if n == 0 {
				env.note("warning: with a limit of 0 asking for a slot of %q is an error", args[0])
			}
			if !env.printer.people() {
				return env.printer.one(raw, args[0], nil)
			}
			env.say("%s global limit %q: %d", map[bool]string{true: "created", false: "updated"}[status == http.StatusCreated], args[0], n)
			return nil
		},
	}
	c.Flags().Float64Var(&rate, "decay", 0, "how many used slots come back a second, for a rate; 0: when they are released")
	return c
}

func newGlobalDeleteCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete a limit", Args: exactly("NAME"), ValidArgsFunction: env.completeGlobals,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			l, err := c.GlobalLimit(cmd.Context(), args[0])
			if err != nil {
				return missing(cmd.Context(), c, "global-limit", args[0], err)
			}
			question := fmt.Sprintf("delete global limit %q (%d in use, %d waiting)?", l.Name, l.ActiveSlots, l.Waiting)
			if err := env.confirm(question, false); err != nil {
				return err
			}
			if err := c.DeleteGlobalLimit(cmd.Context(), l.Name); err != nil {
				return missing(cmd.Context(), c, "global-limit", args[0], err)
			}
			env.say("deleted global limit %q", l.Name)
			return nil
		},
	}
}

func newGlobalLsCmd(env *Env) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "ls", Short: "List global limits", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			return printList(env, globalTable, httpapi.Pages[json.RawMessage](cmd.Context(), c, "/global-limits", nil, limit))
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, "how many at most; 0: all")
	return c
}

func newGlobalReadCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "read NAME", Aliases: []string{"inspect", "show"}, Short: "Show a limit, with who holds its slots and who waits", Args: exactly("NAME"),
		ValidArgsFunction: env.completeGlobals,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			l, raw, err := read[api.GlobalLimit](cmd.Context(), c, at("/global-limits/%", args[0]), nil)
			if err != nil {
				return missing(cmd.Context(), c, "global-limit", args[0], err)
			}
			p := &env.printer
			return p.one(raw, l.Name, func(f *facts) {
				f.line("name", l.Name)
				f.line("created", p.moment(l.Created))
				f.line("updated", p.moment(l.Updated))
				f.line("limit", p.number(int64(l.Limit)))
				f.line("decay", decay(&l))
				if l.Inactive {
					f.line("active", "no")
				}
				f.line("in use", p.number(int64(l.ActiveSlots)))
				f.line("waiting", p.number(int64(l.Waiting)))
				head := []string{"TASK", "SLOTS", "SINCE", "WITH"}
				f.part("holders", head, p.slotLines(l.Holders))
				f.part("waiters", head, p.slotLines(l.Waiters))
			})
		},
	}
}

func (p *printer) slotLines(holders []api.SlotHolder) (lines [][]string) {
	for _, h := range holders {
		lines = append(lines, []string{h.TaskRun, strconv.Itoa(h.Slots), p.moment(h.Since), strings.Join(h.With, ",")})
	}
	return lines
}

func newGlobalResetCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "reset NAME", Short: "Forget who holds slots, for when they are wrong", Args: exactly("NAME"), ValidArgsFunction: env.completeGlobals,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			if err := env.confirm(fmt.Sprintf("forget who holds slots of %q?", args[0]), false); err != nil {
				return err
			}
			if err := c.ResetGlobalLimit(cmd.Context(), args[0]); err != nil {
				return missing(cmd.Context(), c, "global-limit", args[0], err)
			}
			env.say("reset global limit %q", args[0])
			return nil
		},
	}
}

func newGlobalActiveCmd(env *Env, name, short string, active bool) *cobra.Command {
	return &cobra.Command{
		Use: name + " NAME", Short: short, Args: exactly("NAME"), ValidArgsFunction: env.completeGlobals,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			if err := c.ActivateGlobalLimit(cmd.Context(), args[0], active); err != nil {
				return missing(cmd.Context(), c, "global-limit", args[0], err)
			}
			env.say("%sd global limit %q", name, args[0])
			return nil
		},
	}
}
