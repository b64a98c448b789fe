package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newLimitCmd(env *Env) *cobra.Command {
	c := group("concurrency-limit", "How many task runs with a tag may run at a time", []string{"concurrency-limits", "cl"},
		newLimitCreateCmd(env), newLimitDeleteCmd(env), newLimitLsCmd(env), newLimitReadCmd(env),
		newLimitResetCmd(env), newLimitSetCmd(env), newLimitWaitersCmd(env))
	c.Example = "  runnel concurrency-limit create db 10\n  runnel concurrency-limit ls\n  runnel concurrency-limit read db\n  runnel concurrency-limit delete db"
	return c
}

// slots reads N.
func slots(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, usagef("%q is no limit: want a whole number, 0 or more", text)
	}
	return n, nil
}

func newLimitCreateCmd(env *Env) *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use: "create TAG N", Short: "Bound how many task runs with a tag run at a time", Args: exactly("TAG", "N"),
		Long: `Bound how many task runs with a tag may run at a time. A limit that there is
already is changed, unless --no-update is given. With 0 such tasks are aborted.
Task runs that run already are not counted.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := slots(args[1])
			if err != nil {
				return err
			}
			c, err := env.connect(cmd.Context(), change)
			if err != nil {
				return err
			}
			was, err := c.Limit(cmd.Context(), args[0])
			switch {
			case err == nil && keep:
				return hinted(api.Errorf(api.ErrConflict, "", "there is a limit on tag %q already: %d", args[0], was.Limit),
					"without --no-update it is changed")
			case err != nil && !errors.Is(err, api.ErrNotFound):
				return err
			}
			header := http.Header{}
			if keep {
				header.Set("If-None-Match", "*")
			}
			return env.setLimit(cmd.Context(), c, args[0], n, was, header)
		},
	}
	c.Flags().BoolVar(&keep, "no-update", false, "fail if there is a limit already")
	return c
}

// setLimit makes a limit, or changes the one that was read.
func (env *Env) setLimit(ctx context.Context, c *httpapi.Client, tag string, n int, was api.Limit, header http.Header) error {
	raw, status, err := send(ctx, c, http.MethodPost, "limits", header, map[string]any{"tag": tag, "limit": n})
	if err != nil {
		return err
	}
	if n == 0 {
		env.note("warning: with a limit of 0 task runs with tag %q are aborted, not delayed", tag)
	}
	if !env.printer.people() {
		return env.printer.one(raw, tag, nil)
	}
	if status == http.StatusCreated {
		env.say("created limit on tag %q: %d", tag, n)
		return nil
	}
	env.say("updated limit on tag %q: %d -> %d", tag, was.Limit, n)
	return nil
}

func newLimitSetCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "set TAG N", Short: "Change a limit that there is", Args: exactly("TAG", "N"), ValidArgsFunction: env.completeTags,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := slots(args[1])
			if err != nil {
				return err
			}
			c, err := env.connect(cmd.Context(), change)
			if err != nil {
				return err
			}
			was, err := limitOf(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return env.setLimit(cmd.Context(), c, args[0], n, was, http.Header{"If-Match": {"*"}})
		},
	}
}

// limit reads a limit; if there is none it says which is nearest.
func limitOf(ctx context.Context, c *httpapi.Client, tag string) (api.Limit, error) {
	l, err := c.Limit(ctx, tag)
	return l, missing(ctx, c, "concurrency-limit", tag, err)
}

func newLimitDeleteCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "delete TAG", Short: "Delete the limit of a tag; who waits for it begins", Args: exactly("TAG"), ValidArgsFunction: env.completeTags,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			l, err := limitOf(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			question := fmt.Sprintf("delete limit on tag %q (%s in use, %s waiting will start)?", l.Tag,
				env.printer.number(int64(l.Active)), env.printer.number(int64(l.Waiting)))
			if err := env.confirm(question, false); err != nil {
				return err
			}
			if err := c.DeleteLimit(cmd.Context(), l.Tag); err != nil {
				return err
			}
			env.say("deleted limit on tag %q", l.Tag)
			return nil
		},
	}
}

var limitTable = table[api.Limit]{
	id: func(l *api.Limit) string { return l.Tag }, empty: "no concurrency limits",
	columns: []column[api.Limit]{
		{name: "TAG", value: func(_ *printer, l *api.Limit) string { return l.Tag }},
		{name: "LIMIT", right: true, value: func(p *printer, l *api.Limit) string { return p.number(int64(l.Limit)) }},
		{name: "IN USE", right: true, value: func(p *printer, l *api.Limit) string { return p.number(int64(l.Active)) }},
		{name: "WAITING", right: true, value: func(p *printer, l *api.Limit) string { return p.number(int64(l.Waiting)) }},
		{name: "FIRST WAITS", right: true, wide: true, value: func(p *printer, l *api.Limit) string { return p.took(l.WaitingSince, time.Time{}) }},
		{name: "MEDIAN HOLD", right: true, value: func(p *printer, l *api.Limit) string { return p.hold(l.MedianHold) }},
		{name: "CREATED", wide: true, value: func(p *printer, l *api.Limit) string { return p.moment(l.Created) }},
		{name: "UPDATED", value: func(p *printer, l *api.Limit) string { return p.moment(l.Updated) }},
	},
}

// hold is how long a slot is held, "" if that is not known.
func (p *printer) hold(d api.Duration) string {
	switch {
	case d == 0:
		return ""
	case !p.people():
		return strconv.FormatInt(time.Duration(d).Milliseconds(), 10)
	}
	return span(time.Duration(d))
}

func newLimitLsCmd(env *Env) *cobra.Command {
	var limit, offset int
	c := &cobra.Command{
		Use: "ls", Short: "List the limits of tags", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			fetched := limit
			if limit > 0 {
				fetched += offset
			}
			return printList(env, limitTable, skipped(httpapi.Pages[json.RawMessage](cmd.Context(), c, "/limits", nil, fetched), offset))
		},
	}
	c.Flags().IntVar(&limit, "limit", 15, "how many at most; 0: all")
	c.Flags().IntVar(&offset, "offset", 0, "how many to leave out before them")
	_ = c.Flags().MarkHidden("offset") // the flag is there
	return c
}

// skipped leaves out the first items of a list.
func skipped(list iter.Seq2[json.RawMessage, error], n int) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		i := 0
		for item, err := range list {
			if i++; err == nil && i <= n {
				continue
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// shownSlots is how many holders are shown to people.
const shownSlots = 50

func newLimitReadCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "read TAG", Aliases: []string{"inspect"}, Short: "View details about a concurrency limit", Args: exactly("TAG"),
		Long: "View details about a concurrency limit. `active_slots` shows a list of IDs for task\n" +
			"runs that are currently using a concurrency slot.",
		ValidArgsFunction: env.completeTags,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			c, err := env.connect(ctx, look)
			if err != nil {
				return err
			}
			l, raw, err := read[api.Limit](ctx, c, at("/limits/%", args[0]), nil)
			if err != nil {
				return missing(ctx, c, "concurrency-limit", args[0], err)
			}
			var held [][]string
			if env.printer.people() {
				if held, err = env.holders(ctx, c, &l); err != nil {
					return err
				}
			}
			p := &env.printer
			return p.one(raw, l.Tag, func(f *facts) {
				f.line("tag", l.Tag)
				f.line("created", p.moment(l.Created))
				f.line("updated", p.moment(l.Updated))
				f.line("limit", p.number(int64(l.Limit)))
				f.line("in use", p.number(int64(l.Active)))
				f.line("waiting", p.number(int64(l.Waiting)))
				f.line("first waits", p.took(l.WaitingSince, time.Time{}))
				f.line("median hold", p.hold(l.MedianHold))
				f.part("active_slots", []string{"TASK", "TASK NAME", "RUN", "HELD", "WORKER"}, held)
			})
		},
	}
}

// holders gives the lines of those who hold slots, with the names of their runs.
func (env *Env) holders(ctx context.Context, c *httpapi.Client, l *api.Limit) ([][]string, error) {
	var lines [][]string
	runs := map[string]string{}
	for _, id := range l.ActiveSlots[:min(len(l.ActiveSlots), shownSlots)] {
		t, err := c.TaskRun(ctx, id)
		if errors.Is(err, api.ErrNotFound) {
			lines = append(lines, []string{id, "", "", "", ""})
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, known := runs[t.Run]; !known {
			r, err := c.Status(ctx, t.Run)
			if err != nil && !errors.Is(err, api.ErrNotFound) {
				return nil, err
			}
			runs[t.Run] = r.Name
		}
		lines = append(lines, []string{id, t.Task, runs[t.Run], env.printer.took(runningSince(&t), time.Time{}), t.Worker})
	}
	if more := len(l.ActiveSlots) - shownSlots; more > 0 {
		lines = append(lines, []string{fmt.Sprintf("… %d more, see -o json", more), "", "", "", ""})
	}
	return lines, nil
}

// runningSince is when the attempt that runs began.
func runningSince(t *api.TaskRun) time.Time {
	for _, h := range slices.Backward(t.History) {
		if h.State == api.Running {
			return h.Time
		}
	}
	return t.Started
}

func newLimitResetCmd(env *Env) *cobra.Command {
	var slots []string
	cmd := &cobra.Command{
		Use: "reset TAG", Short: "Forget who holds slots, for when they are wrong", Args: exactly("TAG"), ValidArgsFunction: env.completeTags,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			l, err := limitOf(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			n := l.Active
			if len(slots) > 0 {
				n = len(slots)
			}
			if err := env.confirm(fmt.Sprintf("forget the %d holders of tag %q?", n, l.Tag), false); err != nil {
				return err
			}
			if err := c.ResetLimit(cmd.Context(), l.Tag, slots...); err != nil {
				return err
			}
			env.say("reset limit on tag %q: %d slots are free again", l.Tag, n)
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&slots, "slot", nil, "only that of the task run with this id")
	return cmd
}

// waiter is a task run that waits for a slot.
type waiter struct {
	Place   int    `json:"place"`
	TaskRun string `json:"task_run"`
}

var waiterTable = table[waiter]{
	id: func(w *waiter) string { return w.TaskRun }, empty: "nobody waits",
	columns: []column[waiter]{
		{name: "PLACE", right: true, value: func(_ *printer, w *waiter) string { return strconv.Itoa(w.Place) }},
		{name: "TASK", value: func(_ *printer, w *waiter) string { return w.TaskRun }},
	},
}

func newLimitWaitersCmd(env *Env) *cobra.Command {
	var n int
	c := &cobra.Command{
		Use: "waiters TAG", Short: "List who waits for a slot, in the order of their turns", Args: exactly("TAG"), ValidArgsFunction: env.completeTags,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			l, err := limitOf(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			rows := make([]waiter, 0, n)
			for i, id := range l.Waiters[:min(len(l.Waiters), max(n, 0))] {
				rows = append(rows, waiter{Place: i + 1, TaskRun: id})
			}
			t := waiterTable
			t.footer = func() string {
				if l.Waiting > len(rows) {
					return fmt.Sprintf("%s wait in all", env.printer.number(int64(l.Waiting)))
				}
				return ""
			}
			return printRows(env, t, rows)
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 20, "how many at most, up to 100")
	return c
}
