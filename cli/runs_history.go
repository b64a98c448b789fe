package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

var historyTable = table[httpapi.Happened]{
	id: func(h *httpapi.Happened) string { return h.TaskRun }, empty: "nothing happened",
	columns: []column[httpapi.Happened]{
		{name: "TIME", value: func(p *printer, h *httpapi.Happened) string { return p.iso(h.Time) }},
		{name: "WHAT", value: func(_ *printer, h *httpapi.Happened) string {
			if h.TaskRun == "" {
				return "the run"
			}
			return cmp.Or(h.Name, h.TaskRun)
		}},
		{name: "STATE", value: func(p *printer, h *httpapi.Happened) string {
			if h.State == 0 {
				return h.Action
			}
			return p.state(h.State)
		}, color: func(h *httpapi.Happened) string { return states[h.State].color }},
		{name: "ATTEMPT", right: true, value: func(p *printer, h *httpapi.Happened) string {
			if h.Attempt == 0 {
				return ""
			}
			return p.number(int64(h.Attempt))
		}},
		{name: "TASK RUN", wide: true, value: func(_ *printer, h *httpapi.Happened) string { return h.TaskRun }},
		{name: "STATE NAME", wide: true, value: func(_ *printer, h *httpapi.Happened) string { return h.Of }},
		{name: "WHO", wide: true, value: func(_ *printer, h *httpapi.Happened) string { return h.Who }},
		{name: "MESSAGE", value: func(_ *printer, h *httpapi.Happened) string { return cmp.Or(h.Reason, h.Message) }},
	},
}

func newRunHistoryCmd(env *Env) *cobra.Command {
	var limit int
	var since string
	c := &cobra.Command{
		Use: "history RUN", Short: "List what happened to a run and its task runs, and who did what", Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		Long: `List what happened to a run and its task runs, the newest last. What somebody asked
for, with who and why, is known to the server that was asked, for as long as it
remembers.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, id, err := env.run(cmd.Context(), look, args[0])
			if err != nil {
				return err
			}
			from, err := env.moment(since)
			if err != nil {
				return err
			}
			if limit <= 0 {
				return printList(env, historyTable, allHappened(cmd.Context(), c, id, from))
			}
			list, more, err := lastHappened(cmd.Context(), c, id, from, limit)
			if err != nil {
				return err
			}
			t := historyTable
			t.footer = func() string {
				if more {
					return "there was more before; --limit shows it"
				}
				return ""
			}
			return printList(env, t, each(list))
		},
	}
	c.Flags().IntVar(&limit, "limit", 500, "how many of the newest; 0: all")
	c.Flags().StringVar(&since, "since", "", "at or after this `time`, such as 2h, 2026-11-01 or yesterday")
	return c
}

// history is a part of one.
type history struct {
	Items         []json.RawMessage `json:"items"`
	More          bool              `json:"more"`
	Before, After string
}

// historyPart is how much of a history is asked for at a time.
const historyPart = 10000

func partOfHistory(ctx context.Context, c *httpapi.Client, id string, since time.Time, limit int, q url.Values) (history, error) {
	q.Set("limit", strconv.Itoa(min(limit, historyPart)))
	setTime(q, "since", since)
	h, _, err := read[history](ctx, c, at("/runs/%/history", id), q)
	return h, err
}

// lastHappened gives the newest of what happened to a run.
func lastHappened(ctx context.Context, c *httpapi.Client, id string, since time.Time, limit int) (items []json.RawMessage, more bool, err error) {
	q := url.Values{}
	for {
		h, err := partOfHistory(ctx, c, id, since, limit-len(items), q)
		if err != nil {
			return nil, false, err
		}
		items = append(h.Items, items...)
		if !h.More || len(items) >= limit {
			return items, h.More, nil
		}
		q.Set("before", h.Before)
	}
}

// allHappened gives all of what happened to a run, as it comes.
func allHappened(ctx context.Context, c *httpapi.Client, id string, since time.Time) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		q := url.Values{"after": {"0"}}
		for {
			h, err := partOfHistory(ctx, c, id, since, historyPart, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range h.Items {
				if !yield(item, nil) {
					return
				}
			}
			if !h.More {
				return
			}
			q.Set("after", h.After)
		}
	}
}

// each gives what there is already as a list that comes.
func each(items []json.RawMessage) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

func newRunEventsCmd(env *Env) *cobra.Command {
	var follow bool
	var since string
	c := &cobra.Command{
		Use: "events RUN", Short: "Print what happened to a run, a JSON object a line, and go on with -f", Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		Long: `Print what happened to a run, a JSON object a line, as run history does. With -f it
goes on until the run ends, with an object each time that something of it changes, as
events does: what it is then is to be read, since of many changes in a moment one is
told.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			why := look
			if follow {
				why = work
			}
			c, id, err := env.run(cmd.Context(), why, args[0])
			if err != nil {
				return err
			}
			from, err := env.moment(since)
			if err != nil {
				return err
			}
			for item, err := range allHappened(cmd.Context(), c, id, from) {
				if err != nil {
					return err
				}
				if err := env.printer.json(item, false); err != nil {
					return err
				}
			}
			if follow {
				return env.followRun(cmd.Context(), c, id)
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run ends")
	c.Flags().StringVar(&since, "since", "", "what happened at or after this `time`, such as 2h, 2026-11-01 or yesterday")
	return c
}

// followRun prints changes of a run until it has ended.
func (env *Env) followRun(ctx context.Context, c *httpapi.Client, id string) error {
	enc := json.NewEncoder(env.Out)
	for change, err := range c.Events(ctx, "run:"+id) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			if r, again := c.Status(ctx, id); again == nil && r.State.Final() {
				return nil // the stream broke as the run ended
			}
			return err
		}
		if err := enc.Encode(change); err != nil {
			return err
		}
		if change.State == 0 && !change.All { // the first one may come after the end
			continue
		}
		r, err := c.Status(ctx, id)
		if err != nil || r.State.Final() {
			return err
		}
	}
	return context.Cause(ctx)
}

func newRunDiffCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "diff A B", Short: "Compare two runs: what was submitted, states and durations", Args: exactly("A", "B"), ValidArgsFunction: env.completeRuns,
		Example: "  runnel run diff @last-failed @last",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, a, err := env.run(cmd.Context(), look, args[0])
			if err != nil {
				return err
			}
			b, err := runID(cmd.Context(), c, args[1])
			if err != nil {
				return err
			}
			d, raw, err := read[httpapi.RunDiff](cmd.Context(), c, at("/runs/%/diff/%", a, b), nil)
			if err != nil {
				return err
			}
			return env.printer.one(raw, a, func(f *facts) { env.showDiff(f, &d) })
		},
	}
}

func (env *Env) showDiff(f *facts, d *httpapi.RunDiff) {
	p := &env.printer
	side := func(name string, of func(*httpapi.DiffSide) string) []string {
		return []string{name, of(&d.A), of(&d.B)}
	}
	rows := [][]string{
		side("id", func(s *httpapi.DiffSide) string { return s.ID }),
		side("name", func(s *httpapi.DiffSide) string { return s.Name }),
		side("state", func(s *httpapi.DiffSide) string { return p.state(s.State) }),
		side("created", func(s *httpapi.DiffSide) string { return p.moment(s.Created) }),
		side("took", func(s *httpapi.DiffSide) string { return span(time.Duration(s.Took)) }),
	}
	if d.A.Error != "" || d.B.Error != "" {
		rows = append(rows, side("error", func(s *httpapi.DiffSide) string { return cut(oneLine(s.Error), diffWidth) }))
	}
	f.part("runs", []string{"", "A", "B"}, rows)
	var input [][]string
	for _, v := range d.Input {
		input = append(input, []string{v.Path, cut(string(v.A), diffWidth), cut(string(v.B), diffWidth)})
	}
	if d.Same {
		f.text("submitted", "  the same")
	}
	f.part("submitted", []string{"", "A", "B"}, input)
	var tasks [][]string
	for _, t := range d.Tasks {
		tasks = append(tasks, []string{t.Task, tally(p, &t.A), tally(p, &t.B), pace(&t.A), pace(&t.B)})
	}
	f.part("tasks", []string{"", "A", "B", "MEDIAN, LONGEST OF A", "OF B"}, tasks)
	if d.More {
		f.text("", "  a run has more task runs than were looked at")
	}
}

// diffWidth is how much is shown of a long value.
const diffWidth = 60

// tally is how many are in which state.
func tally(p *printer, t *httpapi.TaskTimes) string {
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(t.States)) {
		parts = append(parts, p.number(int64(t.States[s]))+" "+strings.ToLower(s))
	}
	if t.Retries > 0 {
		parts = append(parts, p.number(int64(t.Retries))+" retries")
	}
	return cmp.Or(strings.Join(parts, ", "), "-")
}

func pace(t *httpapi.TaskTimes) string {
	if len(t.States) == 0 {
		return "-"
	}
	return fmt.Sprintf("%s, %s", span(time.Duration(t.Median)), span(time.Duration(t.Longest)))
}
