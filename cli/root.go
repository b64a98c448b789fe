package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// errTimeout is what --timeout ends a command with.
var errTimeout = errors.New("it took longer than --timeout allows")

func newRootCmd(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "runnel",
		Short: "Durable tasks, flows and pipelines",
		Long: `Runnel runs durable tasks, flows and pipelines, and shows what became of them.

A command speaks to a server (--server URL), or opens a database by itself
(--db DSN). Without either it opens sqlite:runnel.db, in this directory.`,
		Example: `  runnel server                          # serve sqlite:runnel.db
  runnel run ls --state failed
  runnel run watch @last
  runnel concurrency-limit create db 10`,
		SilenceErrors: true, SilenceUsage: true, DisableAutoGenTag: true,
		RunE: groupRun, Args: cobra.ArbitraryArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.ValidateFlagGroups(); err != nil {
				return usagef("%w", err)
			}
			if err := env.prepare(); err != nil {
				return err
			}
			env.started = true
			if env.flags.timeout > 0 {
				ctx, cancel := context.WithTimeoutCause(cmd.Context(), env.flags.timeout, errTimeout)
				env.closing = append(env.closing, func() error { cancel(); return nil })
				cmd.SetContext(ctx)
			}
			return nil
		},
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.SetHelpCommand(newHelpCmd())
	root.CompletionOptions.HiddenDefaultCmd = false
	env.addFlags(root)
	for _, g := range []struct {
		id, title string
		cmds      []*cobra.Command
	}{
		{"serve", "Serve", []*cobra.Command{newServerCmd(env), newDevCmd(env), newStatusCmd(env), newTopCmd(env), newDBCmd(env), newBenchCmd(env)}},
		{"work", "Runs and tasks", []*cobra.Command{newRunCmd(env), newTaskCmd(env), newFlowCmd(env), newScheduleCmd(env), newOperationCmd(env), newEventsCmd(env)}},
		{"bound", "Limits, cache, queues", []*cobra.Command{newLimitCmd(env), newGlobalLimitCmd(env), newCacheCmd(env), newQueueCmd(env), newWorkerCmd(env)}},
		{"self", "This command line", []*cobra.Command{newAPICmd(env), newTokenCmd(env), newContextCmd(env), newConfigCmd(env), newDocsCmd(env), newManCmd(env), newSkillCmd(env), newVersionCmd(env)}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title + ":"})
		for _, c := range g.cmds {
			c.GroupID = g.id
			env.reasonFlags(c)
			root.AddCommand(c)
		}
	}
	root.AddCommand(topics()...)
	return root
}

// changing are the commands that change something, but for those that have a flag of their
// own for why.
var changing = map[string][]string{
	"concurrency-limit": {"create", "set", "delete", "reset"},
	"global-limit":      {"set", "delete", "reset", "enable", "disable"},
	"schedule":          {"create", "delete", "trigger", "backfill"},
	"task":              {"send"},
	"cache":             {"rm"},
	"operation":         {"stop"},
	"token":             {"create", "rm"},
}

// reasonFlags has the commands of a group that change something take why.
func (env *Env) reasonFlags(group *cobra.Command) {
	for _, c := range group.Commands() {
		if slices.Contains(changing[group.Name()], c.Name()) {
			c.Flags().StringVar(&env.flags.reason, "reason", "", "`text` for the log of who changed what")
		}
	}
}

func (env *Env) addFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&env.flags.server, "server", "", "`URL` of the server to speak to")
	f.StringVar(&env.flags.db, "db", "", "`DSN` of the database to open, such as sqlite:FILE or postgres://USER@HOST/DATABASE")
	f.StringVar(&env.flags.context, "context", "", "`name` of the context to use, see: runnel context")
	f.StringVarP(&env.flags.output, "output", "o", "table", "`format`: table, wide, json, jsonl, yaml, csv, name or template=TEXT")
	f.StringVar(&env.flags.color, "color", "auto", "auto, always or never")
	f.StringVar(&env.flags.time, "time", "relative", "relative or iso")
	f.BoolVar(&env.flags.utc, "utc", false, "show times in UTC")
	f.StringSliceVar(&env.flags.columns, "columns", nil, "`names` of the columns to show")
	f.BoolVar(&env.flags.noHeaders, "no-headers", false, "leave out the line of headers")
	f.BoolVarP(&env.flags.quiet, "quiet", "q", false, "say no more than what was asked for")
	f.BoolVarP(&env.flags.verbose, "verbose", "v", false, "say more of what goes wrong")
	f.DurationVar(&env.flags.timeout, "timeout", 0, "how long it may take, such as 30s; 0: as long as it takes")
	f.BoolVar(&env.flags.builtin, "builtin", false, "have the tasks shell and http too: whoever may submit runs commands here")
	f.BoolVarP(&env.flags.yes, "yes", "y", false, "ask nothing")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usagef("%w", err) })
	for name, words := range map[string][]string{
		"output": {"table", "wide", "json", "jsonl", "yaml", "csv", "name", "template="},
		"color":  {"auto", "always", "never"}, "time": {"relative", "iso"},
	} {
		_ = root.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // the flags are there
	}
}

// prepare makes sense of the flags.
func (env *Env) prepare() error {
	for name, f := range map[string]struct{ value, words string }{
		"color": {env.flags.color, "auto always never"}, "time": {env.flags.time, "relative iso"},
	} {
		if !oneOf(f.value, f.words) {
			return usagef("--%s %s: want one of %s", name, f.value, strings.ReplaceAll(f.words, " ", ", "))
		}
	}
	if env.flags.server != "" && env.flags.db != "" {
		return usagef("--server and --db are two places: give one")
	}
	p, err := newPrinter(env)
	env.printer = p
	return err
}

func oneOf(word, words string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}

// group is a command that only holds others.
func group(use, short string, aliases []string, cmds ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Aliases: aliases, RunE: groupRun, Args: cobra.ArbitraryArgs}
	c.AddCommand(cmds...)
	return c
}

func groupRun(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(append(names, c.Name()), c.Aliases...)
	}
	err := usagef("there is no command %q in %s", args[0], cmd.CommandPath())
	if near := nearest(args[0], names); near != "" {
		return hinted(err, "did you mean: %s %s", cmd.CommandPath(), near)
	}
	return err
}

// exactly and the others are cobra's checks of arguments, with our kind of error.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usagef("%s wants %s, and has %d of them", cmd.CommandPath(), strings.Join(names, " "), len(args))
		}
		return nil
	}
}

func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, and has %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func atLeastOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s wants %s", cmd.CommandPath(), name)
		}
		return nil
	}
}

// confirm asks before something is lost. Where nobody can answer, --yes must have
// been given, unless the command does without.
func (env *Env) confirm(question string, needed bool) error {
	switch {
	case env.flags.yes:
		return nil
	case !env.asks() && needed:
		return hinted(usagef("%s Nobody is here to answer", question), "-y does it without asking")
	case !env.asks():
		return nil
	}
	fmt.Fprintf(env.Err, "%s [y/N] ", question)
	var answer string
	_, _ = fmt.Fscanln(env.In, &answer) // nothing is no
	if !oneOf(strings.ToLower(answer), "y yes") {
		return ended(exitFailure, "not done")
	}
	return nil
}

// moment reads a point in time: 2h (ago), 2026-11-01, yesterday, or RFC 3339.
func (env *Env) moment(text string) (time.Time, error) {
	now := env.Now()
	zone := time.Local //nolint:gosmopolitan // that of who types the command
	if env.flags.utc {
		zone = time.UTC
	}
	today := time.Date(now.In(zone).Year(), now.In(zone).Month(), now.In(zone).Day(), 0, 0, 0, 0, zone)
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now, nil
	case "today":
		return today, nil
	case "yesterday":
		return today.AddDate(0, 0, -1), nil
	case "tomorrow":
		return today.AddDate(0, 0, 1), nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%q is no time: want such as 2h, 2026-11-01, 2026-11-01T15:04:05Z or yesterday", text)
}
