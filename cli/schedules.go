package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newScheduleCmd(env *Env) *cobra.Command {
	return group("schedule", "Runs at certain times", []string{"schedules"},
		newScheduleLsCmd(env), newScheduleShowCmd(env), newScheduleCreateCmd(env), newScheduleDeleteCmd(env),
		newScheduleVerbCmd(env, "pause", "Make no runs until it is resumed", "paused"),
		newScheduleVerbCmd(env, "resume", "Go on from the next time", "resumed"),
		newScheduleVerbCmd(env, "skip", "Make no run for the next time", "skipped the next time of"),
		newScheduleTriggerCmd(env), newScheduleNextCmd(env), newScheduleBackfillCmd(env))
}

// timetable gives a timetable in a word.
func timetable(t *api.Timetable) string {
	if t.Cron == "" {
		return "every " + time.Duration(t.Every).String()
	}
	return strings.TrimSpace(t.Cron + " " + t.Zone)
}

var scheduleTable = table[api.Schedule]{
	id: func(s *api.Schedule) string { return s.Name }, empty: "no schedules",
	columns: []column[api.Schedule]{
		{name: "NAME", value: func(_ *printer, s *api.Schedule) string { return s.Name }},
		{name: "TIMES", value: func(_ *printer, s *api.Schedule) string { return timetable(&s.Timetable) }},
		{name: "NEXT", value: func(p *printer, s *api.Schedule) string {
			if s.Paused {
				return "paused"
			}
			if len(s.Next) == 0 {
				return ""
			}
			return p.moment(s.Next[0])
		}},
		{name: "MADE", right: true, value: func(p *printer, s *api.Schedule) string { return p.number(s.Made) }},
		{name: "LIVE", right: true, value: func(p *printer, s *api.Schedule) string { return p.number(int64(s.Live)) }},
		{name: "SKIPPED", right: true, wide: true, value: func(p *printer, s *api.Schedule) string { return p.number(s.Skipped) }},
		{name: "MISSED", right: true, wide: true, value: func(p *printer, s *api.Schedule) string { return p.number(s.Missed) }},
		{name: "OVERLAP", wide: true, value: func(_ *printer, s *api.Schedule) string { return string(s.Overlap) }},
		{name: "LAST RUN", value: func(_ *printer, s *api.Schedule) string {
			if len(s.Last) == 0 {
				return ""
			}
			return s.Last[0].Run
		}},
		{name: "ERROR", value: func(_ *printer, s *api.Schedule) string { return s.Error }},
	},
}

func newScheduleLsCmd(env *Env) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "ls", Short: "List schedules", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			return printList(env, scheduleTable, httpapi.Pages[json.RawMessage](cmd.Context(), c, "/schedules", nil, limit))
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, "how many at most; 0: all")
	return c
}

func newScheduleShowCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a schedule, with its next and its last runs", Args: exactly("NAME"), ValidArgsFunction: env.completeSchedules,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			s, raw, err := read[api.Schedule](cmd.Context(), c, at("/schedules/%", args[0]), nil)
			if err != nil {
				return missing(cmd.Context(), c, "schedule", args[0], err)
			}
			p := &env.printer
			return p.one(raw, s.Name, func(f *facts) {
				f.line("schedule", s.Name)
				f.line("times", timetable(&s.Timetable))
				if s.Paused {
					f.line("paused", "yes")
				}
				f.line("overlap", string(s.Overlap))
				f.line("catch up", string(s.CatchUp))
				f.line("tags", strings.Join(s.Tags, ", "))
				f.line("runs", fmt.Sprintf("%s made, %d live, %s skipped, %s missed", p.number(s.Made), s.Live, p.number(s.Skipped), p.number(s.Missed)))
				f.line("error", s.Error)
				f.line("pipeline", cut(string(s.Pipeline), 200))
				var next, last [][]string
				for _, t := range s.Next {
					next = append(next, []string{p.iso(t), p.relative(t)})
				}
				for _, r := range s.Last {
					last = append(last, []string{p.iso(r.At), r.Run})
				}
				f.part("next", nil, next)
				f.part("last", nil, last)
			})
		},
	}
}

// planned is the flags of schedule create.
type planned struct {
	starting

	flow, cron, zone, overlap, catchUp string
	scheduleTags                       []string
	every, window                      time.Duration
	dryRun                             bool
}

func newScheduleCreateCmd(env *Env) *cobra.Command {
	var s planned
	c := &cobra.Command{
		Use: "create NAME --flow FLOW [ARG…] --cron EXPR | --every D", Short: "Create a schedule, or change it", Args: atLeastOne("NAME"),
		Example: `  runnel schedule create nightly --flow etl --cron "30 2 * * *" --tz Europe/Berlin
  runnel schedule create pulse --file pipeline.json --every 5m --overlap queue`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (s.cron == "") == (s.every == 0) {
				return usagef("at which times? Give --cron or --every")
			}
			if (s.flow == "") == (s.file == "") {
				return usagef("what is to be run? Give --flow with its arguments, or --file")
			}
			c, err := env.connect(cmd.Context(), change)
			if err != nil {
				return err
			}
			what, err := env.request(cmd.Context(), c, &s.starting, append([]string{s.flow}, args[1:]...))
			if err != nil {
				return err
			}
			if s.dryRun {
				q := url.Values{"n": {"10"}}
				setIf(q, "cron", s.cron)
				setIf(q, "zone", s.zone)
				if s.every != 0 {
					q.Set("every", s.every.String())
				}
				times, _, err := read[httpapi.Times](cmd.Context(), c, "/timetable", q)
				if err != nil {
					return err
				}
				return printRows(env, nextTable, nextRows(times.Times))
			}
			in := httpapi.ScheduleRequest{
				Timetable: api.Timetable{Cron: s.cron, Every: api.Duration(s.every), Zone: s.zone},
				Pipeline:  what.Pipeline, Task: what.Task, Args: what.Args,
				Overlap: api.Overlap(s.overlap), CatchUp: api.CatchUp(s.catchUp), Window: api.Duration(s.window), Tags: s.scheduleTags,
			}
			raw, status, err := send(cmd.Context(), c, http.MethodPut, at("schedules/%", args[0]), nil, in)
			if err != nil {
				return err
			}
			if !env.printer.people() {
				return env.printer.one(raw, args[0], nil)
			}
			env.say("%s schedule %q; see: runnel schedule show %s", map[bool]string{true: "created", false: "updated"}[status == http.StatusCreated], args[0], args[0])
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&s.flow, "flow", "", "`name` of the task or flow")
	f.StringVar(&s.cron, "cron", "", "`expression` of five fields, or such as @daily")
	f.StringVar(&s.zone, "tz", "", "time `zone` of the expression, such as Europe/Berlin; default UTC")
	f.DurationVar(&s.every, "every", 0, "or the time from one run to the next, such as 5m")
	f.BoolVar(&s.dryRun, "dry-run", false, "list the next ten times, and create nothing")
	f.StringVar(&s.overlap, "overlap", "", "while the last run is live: skip, allow, queue or cancel; default skip")
	f.StringVar(&s.catchUp, "catch-up", "", "of times that nobody attended: latest, all or none; default latest")
	f.DurationVar(&s.window, "window", 0, "how far back to catch up")
	f.StringSliceVar(&s.scheduleTags, "tag", nil, "`tags` of the schedule's runs")
	f.StringArrayVarP(&s.pairs, "param", "p", nil, "`key=value` of an object that is an argument")
	f.StringVar(&s.params, "params", "", "arguments as `JSON`, or a file of them, - for standard input")
	f.StringVar(&s.file, "file", "", "`file` of a pipeline as JSON or YAML, - for standard input")
	_ = c.RegisterFlagCompletionFunc("flow", env.completeFlow) // the flag is there
	return c
}

func newScheduleDeleteCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete a schedule; its runs stay", Args: exactly("NAME"), ValidArgsFunction: env.completeSchedules,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			if _, err := c.Schedule(cmd.Context(), args[0]); err != nil {
				return missing(cmd.Context(), c, "schedule", args[0], err)
			}
			if err := env.confirm(fmt.Sprintf("delete schedule %q?", args[0]), false); err != nil {
				return err
			}
			if err := c.DeleteSchedule(cmd.Context(), args[0]); err != nil {
				return missing(cmd.Context(), c, "schedule", args[0], err)
			}
			env.say("deleted schedule %q", args[0])
			return nil
		},
	}
}

func newScheduleVerbCmd(env *Env, name, short, done string) *cobra.Command {
	var all, dryRun bool
	var match, reason string
	c := &cobra.Command{
		Use: name + " NAME… | --match TEXT | --all", Short: short, ValidArgsFunction: env.completeSchedules,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (match == "" && !all) {
				return usagef("which schedules? Give NAME, or --match, or --all")
			}
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			if len(args) != 1 || dryRun {
				r := httpapi.OperationRequest{Target: "schedules", Action: name, IDs: args, Name: match, All: all, Reason: reason}
				if len(args) == 0 {
					r.IDs = nil
				}
				return env.operate(cmd.Context(), c, r, &many{noun: "schedules", verb: name, dryRun: dryRun, chosen: len(args) == 0})
			}
			raw, _, err := send(cmd.Context(), c, http.MethodPost, at("schedules/%/"+name, args[0]), because(reason), nil)
			if err != nil {
				return missing(cmd.Context(), c, "schedule", args[0], err)
			}
			if !env.printer.people() {
				return env.printer.one(raw, args[0], nil)
			}
			env.say("%s schedule %q", done, args[0])
			return nil
		},
	}
	c.Flags().StringVar(&match, "match", "", "those whose name has this `text` in it")
	c.Flags().BoolVar(&all, "all", false, "all of them")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say which they would be")
	c.Flags().StringVar(&reason, "reason", "", "`text` for the log of who changed what")
	return c
}

func newScheduleTriggerCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "trigger NAME", Short: "Make a run of the schedule now", Args: exactly("NAME"), ValidArgsFunction: env.completeSchedules,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			id, err := c.TriggerSchedule(cmd.Context(), args[0])
			if err != nil {
				return missing(cmd.Context(), c, "schedule", args[0], err)
			}
			r, raw, err := read[api.Run](cmd.Context(), c, at("/runs/%", id), nil)
			if err != nil {
				return err
			}
			return env.printer.one(raw, id, func(f *facts) {
				f.line("run", r.Name)
				f.line("id", r.ID)
			})
		},
	}
}

// row of schedule next.
type next struct {
	At time.Time `json:"at"`
}

var nextTable = table[next]{
	id: func(n *next) string { return n.At.Format(time.RFC3339) }, empty: "no times",
	columns: []column[next]{
		{name: "AT", value: func(p *printer, n *next) string { return p.iso(n.At) }},
		{name: "IN", value: func(p *printer, n *next) string { return p.moment(n.At) }},
	},
}

func newScheduleNextCmd(env *Env) *cobra.Command {
	var n int
	var cron, zone string
	var every time.Duration
	c := &cobra.Command{
		Use: "next NAME | --cron EXPR | --every D", Short: "List the next times of a schedule, or of a timetable that is only thought of",
		ValidArgsFunction: env.completeSchedules,
		RunE: func(cmd *cobra.Command, args []string) error {
			thought := cron != "" || every != 0
			if len(args) > 1 || (len(args) == 1) == thought {
				return usagef("of what? Give NAME, or --cron or --every")
			}
			c, err := env.connect(cmd.Context(), map[bool]purpose{true: change, false: look}[thought])
			if err != nil {
				return err
			}
			path, q := "/timetable", url.Values{"n": {strconv.Itoa(n)}}
			if thought {
				setIf(q, "cron", cron)
				setIf(q, "zone", zone)
				if every != 0 {
					q.Set("every", every.String())
				}
			} else {
				path = at("/schedules/%/next", args[0])
			}
			times, _, err := read[httpapi.Times](cmd.Context(), c, path, q)
			if err != nil {
				return missing(cmd.Context(), c, "schedule", args[0], err)
			}
			return printRows(env, nextTable, nextRows(times.Times))
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 10, "how many")
	c.Flags().StringVar(&cron, "cron", "", "cron `expression`")
	c.Flags().StringVar(&zone, "tz", "", "time `zone` of the expression")
	c.Flags().DurationVar(&every, "every", 0, "or an interval")
	return c
}
