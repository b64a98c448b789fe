package cli

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"
)

func newEventsCmd(env *Env) *cobra.Command {
	var topics, types []string
	var run string
	var after int64
	c := &cobra.Command{
		Use: "events", Short: "Print what changes, a JSON object a line, until it is interrupted", Args: none,
		Long: `Print what changes, a JSON object a line, until it is interrupted. The first
says that anything may have changed, and so does one after something was lost.
--after goes on after the change of a number, as far as the server remembers.`,
		Example: "  runnel events --type run.changed,limit.changed\n  runnel events --run @last",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			for _, t := range topics {
				if !oneOf(t, "runs limits schedules workers") {
					return usagef("--topic %s: want runs, limits, schedules or workers", t)
				}
			}
			for _, t := range types {
				topic, ok := strings.CutSuffix(t, ".changed")
				if !ok || !oneOf(topic, "run limit schedule worker") {
					return usagef("--type %s: want run.changed, limit.changed, schedule.changed or worker.changed", t)
				}
				topics = append(topics, topic+"s")
			}
			if run != "" {
				id, err := runID(cmd.Context(), c, run)
				if err != nil {
					return err
				}
				topics = append(topics, "run:"+id)
			}
			if len(topics) == 0 {
				topics = []string{"runs", "limits", "schedules", "workers"}
			}
			enc := json.NewEncoder(env.Out)
			for change, err := range c.EventsAfter(cmd.Context(), after, topics...) {
				if err != nil {
					return err
				}
				if err := enc.Encode(change); err != nil {
					return err
				}
			}
			return context.Cause(cmd.Context())
		},
	}
	c.Flags().StringSliceVar(&topics, "topic", nil, "only of these `topics`: runs, limits, schedules, workers")
	c.Flags().StringSliceVar(&types, "type", nil, "only of these `types`: run.changed, limit.changed, schedule.changed, worker.changed")
	c.Flags().Int64Var(&after, "after", 0, "those after the one of this `number`")
	c.Flags().StringVar(&run, "run", "", "of this `run`")
	return c
}
