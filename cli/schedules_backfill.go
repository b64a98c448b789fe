package cli

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newScheduleBackfillCmd(env *Env) *cobra.Command {
	var from, to string
	var dry bool
	c := &cobra.Command{
		Use: "backfill NAME --from T [--to T]", Short: "Make the runs of times that have passed", Args: exactly("NAME"), ValidArgsFunction: env.completeSchedules,
		Long: `Make the runs of times that have passed, also of times for which there was a run
already. --dry-run lists the times first.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			begin, err := env.moment(from)
			if err != nil {
				return err
			}
			end, err := env.moment(cmp.Or(to, "now"))
			if err != nil {
				return err
			}
			if begin.IsZero() {
				return usagef("from when? Give --from, such as --from 2026-11-01")
			}
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			if dry {
				q := url.Values{}
				setTime(q, "from", begin)
				setTime(q, "to", end)
				times, _, err := read[httpapi.Times](cmd.Context(), c, at("/schedules/%/backfill", args[0]), q)
				if err != nil {
					return missing(cmd.Context(), c, "schedule", args[0], err)
				}
				t := nextTable
				t.empty = "no times, so no runs would be made"
				t.footer = func() string { return env.printer.number(int64(len(times.Times))) + " runs would be made" }
				return printRows(env, t, nextRows(times.Times))
			}
			raw, _, err := send(cmd.Context(), c, http.MethodPost, at("schedules/%/backfill", args[0]), nil, map[string]time.Time{"from": begin, "to": end})
			if err != nil {
				return missing(cmd.Context(), c, "schedule", args[0], err)
			}
			var made httpapi.Backfilled
			if err := json.Unmarshal(raw, &made); err != nil {
				return err
			}
			return env.printer.one(raw, args[0], func(f *facts) { f.line("made", env.printer.number(int64(made.Made))+" runs") })
		},
	}
	c.Flags().StringVar(&from, "from", "", "the first `time`, such as 2026-11-01")
	c.Flags().StringVar(&to, "to", "", "the `time` before which to end; default now")
	c.Flags().BoolVar(&dry, "dry-run", false, "list the times whose runs would be made")
	return c
}

func nextRows(times []time.Time) []next {
	rows := make([]next, len(times))
	for i, t := range times {
		rows[i].At = t
	}
	return rows
}
