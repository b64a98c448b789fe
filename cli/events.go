package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"
)

func newEventsCmd(env *Env) *cobra.Command {
	var topics []string
	var run string
	c := &cobra.Command{
		Use: "events", Short: "Print what changes, a JSON object a line, until it is interrupted", Args: none,
		Long: `Print what changes, a JSON object a line, until it is interrupted. The first
says that anything may have changed, and so does one after something was lost.`,
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
			for change, err := range c.Events(cmd.Context(), topics...) {
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
	c.Flags().StringVar(&run, "run", "", "of this `run`")
	return c
}
