package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// topics are pages of help that are no commands.
func topics() []*cobra.Command {
	var out []*cobra.Command
	for _, t := range []struct{ name, short, text string }{
		{"exit-codes", "What exit codes mean", exitCodesText},
		{"filters", "How runs and task runs are chosen", filtersText},
		{"output", "Forms of output", outputText},
		{"environment", "Variables, files, and where commands go", environmentText},
	} {
		out = append(out, &cobra.Command{Use: t.name, Short: t.short, Long: t.text})
	}
	return out
}

// newHelpCmd is cobra's, but that an unknown topic is an error.
func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND…]", Short: "Help for a command or a topic",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			var names []string
			at, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			for _, c := range at.Commands() {
				names = append(names, c.Name()+"\t"+c.Short)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return hinted(usagef("there is no help for %q", strings.Join(args, " ")), "see: runnel help")
			}
			at.InitDefaultHelpFlag()
			return at.Help()
		},
	}
}

const exitCodesText = `Exit codes:

  0    it went well
  1    it failed, for a reason that has no code of its own
  2    the command makes no sense as it stands, or nobody was there to confirm it
  3    the server does not allow it
  4    there is no such run, task run, limit, …
  5    the present state does not allow it, or somebody else was faster
  6    it took longer than --timeout allows
  7    the server or the database can't be reached
  8    done to some of the runs or task runs, not to all
  10   the run failed (run start --wait, --watch, --logs; run result; run watch --exit-status)
  11   the run was cancelled, or crashed (the same commands)
  130  interrupted`

const filtersText = `How runs and task runs are chosen:

A filter is words that must all fit: state:failed,crashed name:etl duration:>30s
-tag:slow since:24h. run ls and task ls take it as it is, cancel and the others
as --filter. docs/filters.md has all of it.

Flags do the same without quotes: --state failed,crashed  --name etl  --since 2h  --until 2026-11-01.
All that are given must fit; of several states one. Task runs have --run, --task,
--state, --tag (all of them) and --any-tag (one of them).

Times are a duration, which means so long ago (90s, 2h), a date or a time
(2026-11-01, 2026-11-01T15:04:05, with a zone or in that of this machine; with
--utc in UTC), today, yesterday or now.

A run is named by its id, by 4 or more of the first digits of it, by @last, the
newest run, or by @last-failed. A task run is named RUN/SEQ, such as @last/0.`

const outputText = `Forms of output, -o FORMAT:

  table     columns for people; the default
  wide      more columns
  json      the objects of the API, unchanged; a list is an array
  jsonl     an object a line
  yaml      the same as YAML
  csv       the columns of wide, times in UTC, durations in milliseconds
  name      ids or names, one a line
  template=TEXT  a Go template, over each object

--columns a,b chooses columns, --no-headers leaves the first line out. What a
command finds goes to standard output, all else to standard error. An empty list
is [] as JSON, and nothing but a remark on standard error as a table. Lists go on
to --limit; --limit 0 is all of it.

Colours are used on a terminal only; NO_COLOR or --color never turns them off.
Times are relative; --time iso shows them whole.`

const environmentText = `Where a command goes, the first that is given:

  --server URL, --db DSN, --context NAME
  RUNNEL_SERVER, RUNNEL_DB, RUNNEL_CONTEXT
  the context in use, see: runnel context
  sqlite:runnel.db in this directory

runnel config show says where, and why.

Variables:

  RUNNEL_SERVER   URL of a server
  RUNNEL_DB       DSN of a database
  RUNNEL_CONTEXT  name of a context
  RUNNEL_TOKEN    sent to the server as a bearer token
  RUNNEL_CONFIG   the file of contexts; default ~/.config/runnel/config.yaml
  NO_COLOR        no colours

A DSN is sqlite:FILE or postgres://USER@HOST/DATABASE. A file can be open in one
process at a time: while a server has it, use --server.`
