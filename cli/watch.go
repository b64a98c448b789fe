package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

const (
	watchEvery = 2 * time.Second        // without news
	watchPace  = 250 * time.Millisecond // at least between two pictures
	watchTasks = 7                      // names that are shown
)

func newRunWatchCmd(env *Env) *cobra.Command {
	var interval time.Duration
	var status bool
	c := &cobra.Command{
		Use: "watch RUN", Short: "Show how a run goes until it ends", Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		Long: `Show how a run goes until it ends: on a terminal a picture of a few lines, in
place, and elsewhere a line for each change.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if interval <= 0 {
				return usagef("--interval %s: want more than 0", interval)
			}
			c, id, err := env.run(cmd.Context(), work, args[0])
			if err != nil {
				return err
			}
			return env.watch(cmd.Context(), c, id, interval, status)
		},
	}
	c.Flags().DurationVar(&interval, "interval", watchEvery, "how often to look when there is no news")
	c.Flags().BoolVar(&status, "exit-status", false, "exit with 10 if the run failed, with 11 if it was cancelled or crashed")
	return c
}

// watch shows a run to its end.
func (env *Env) watch(ctx context.Context, c *httpapi.Client, id string, every time.Duration, status bool) error {
	v := view{env: env, tty: env.printer.width > 0 && env.printer.people(), canvas: canvas{out: env.Out}}
	r, err := env.attend(ctx, c, id, every, v.show)
	if err != nil || !status {
		return err
	}
	return runEnd(id, r.State, r.Failure)
}

// attend has a run shown each time that something of it has changed, until it has ended.
func (env *Env) attend(ctx context.Context, c *httpapi.Client, id string, every time.Duration, show func(*httpapi.RunDetail) error) (httpapi.RunDetail, error) {
	news := env.news(ctx, c, "run:"+id)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r, err := c.Run(ctx, id)
		if err == nil {
			err = show(&r)
		}
		switch {
		case ctx.Err() != nil:
			env.note("the run goes on; come back with: runnel run watch %s", id)
			return r, context.Cause(ctx)
		case err != nil, r.State.Final():
			return r, err
		}
		if err := pause(ctx, watchPace); err != nil {
			continue // which says goodbye
		}
		select {
		case <-ctx.Done():
		case <-news:
		case <-tick.C:
		}
	}
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// news tells that something of some topics may have changed. If the stream of events
// can't be had, the interval has to do.
func (env *Env) news(ctx context.Context, c *httpapi.Client, topics ...string) <-chan struct{} {
	wake := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	env.closing = append(env.closing, func() error {
		cancel()
		<-ended
		return nil
	})
	go func() {
		defer close(ended)
		for _, err := range c.Events(ctx, topics...) {
			if err != nil {
				return
			}
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	}()
	return wake
}

// view is the picture of a run.
type view struct {
	env    *Env
	tty    bool
	canvas canvas
	last   string // what was written
}

// seen is a run as programs are told of it.
type seen struct {
	Run     string    `json:"run"`
	State   api.State `json:"state"`
	Done    int64     `json:"done"`
	Known   int64     `json:"known"` // done, and what is known to be to come
	Running int64     `json:"running"`
	Failed  int64     `json:"failed"`
	Why     string    `json:"why,omitempty"`
}

func (v *view) show(r *httpapi.RunDetail) error {
	p := &v.env.printer
	if !p.people() {
		t := totals(&r.Run)
		raw, err := json.Marshal(seen{
			Run: r.ID, State: r.State, Done: t.Ended(), Known: t.Ended() + t.Open(), Running: t.Running, Failed: t.Failed, Why: r.Why,
		})
		if err != nil {
			return err
		}
		return v.changed(string(raw) + "\n")
	}
	if !v.tty {
		words := []string{strings.ToLower(r.State.String())}
		for _, name := range slices.Sorted(maps.Keys(r.Tasks)) {
			words = append(words, name+": "+p.counts(r.Tasks[name]))
		}
		return v.changed(strings.Join(words, "  ") + "\n")
	}
	return v.canvas.draw(v.picture(r))
}

// changed writes a line with the time before it, unless it is the last one again.
func (v *view) changed(text string) error {
	if text == v.last {
		return nil
	}
	v.last = text
	if v.env.printer.people() {
		text = v.env.Now().Format(time.TimeOnly) + " " + text
	}
	_, err := io.WriteString(v.env.Out, text)
	return err
}

// progress is how far the run is, as in "61%  60,790 of 99,799 done  6m02s  about 3m40s more".
func (v *view) progress(r *api.Run) string {
	p, s := &v.env.printer, httpapi.SummaryOf(r, v.env.Now())
	words := []string{p.number(s.Ended) + " done", p.took(r.Created, r.Finished)}
	if s.Known > s.Ended {
		words[0] = fmt.Sprintf("%d%%  %s of %s done", 100*s.Ended/s.Known, p.number(s.Ended), p.number(s.Known))
	}
	if s.ETA > 0 {
		words = append(words, "about "+span(time.Duration(s.ETA)*time.Millisecond)+" more")
	}
	return strings.Join(words, "  ")
}

// picture is at most a dozen lines, however large the run is.
func (v *view) picture(r *httpapi.RunDetail) []string {
	p := &v.env.printer
	wide := max(p.width, 20)
	head := fmt.Sprintf("%s %s ", oneLine(r.Name), r.ID)
	state := p.state(r.State)
	rest := "  " + v.progress(&r.Run)
	lines := []string{cut(head, wide-1)}
	if room := wide - len([]rune(head+state+rest)); room > 0 {
		lines[0] = head + p.paint(state, states[r.State].color) + rest
	} else {
		lines = append(lines, "  "+p.paint(state, states[r.State].color)+rest)
	}
	names := slices.SortedFunc(maps.Keys(r.Tasks), func(a, b string) int {
		x, y := r.Tasks[a], r.Tasks[b]
		return cmp.Or(cmp.Compare(y.Failed, x.Failed), cmp.Compare(y.Running+y.Retrying, x.Running+x.Retrying),
			cmp.Compare(y.Pending, x.Pending), strings.Compare(a, b))
	})
	for i, name := range names {
		if i == watchTasks {
			lines = append(lines, fmt.Sprintf("  … %d more names", len(names)-i))
			break
		}
		lines = append(lines, cut(fmt.Sprintf("  %-12s %s", oneLine(name), p.counts(r.Tasks[name])), wide-1))
	}
	if r.Why != "" {
		lines = append(lines, cut("  why          "+oneLine(r.Why), wide-1))
	}
	if why := first(r.Failure); why != "" {
		lines = append(lines, cut("  error        "+oneLine(why), wide-1))
	}
	return lines
}
