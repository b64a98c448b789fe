package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

const (
	topRows = 5 // of each table, where there is no room for more
	topRuns = 8
	topPace = time.Second // at least between two pictures
)

func newTopCmd(env *Env) *cobra.Command {
	var interval time.Duration
	var once bool
	c := &cobra.Command{
		Use: "top", Short: "Show what is going on, on one screen", Args: none,
		Long: `Show what is going on, on one screen: runs by state, rates of the last seconds, the
queues with most to do, processes that work, limits that somebody waits for, and the
newest runs that have not ended. It is drawn again as things change, until it is
interrupted. Elsewhere than on a terminal, and with --once, it is shown once; with
-o jsonl, and without --once, an object comes each --interval.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval <= 0 {
				return usagef("--interval %s: want more than 0", interval)
			}
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			tty := env.printer.width > 0 && env.printer.people()
			if once || !tty && env.printer.format != "jsonl" {
				return env.topOnce(cmd.Context(), c)
			}
			return env.top(cmd.Context(), c, interval, tty)
		},
	}
	c.Flags().DurationVar(&interval, "interval", watchEvery, "how often to look when there is no news")
	c.Flags().BoolVar(&once, "once", false, "show it once")
	return c
}

// overview is what is going on at one time.
type overview struct {
	Time    time.Time          `json:"time"`
	Server  httpapi.Server     `json:"server"`
	Live    map[string]int     `json:"live_runs"` // by state
	More    bool               `json:"more_live_runs,omitempty"`
	Rates   map[string]float64 `json:"rates"` // those that were measured
	Queues  []api.Queue        `json:"queues"`
	Workers []api.Worker       `json:"workers"`
	Limits  []api.Limit        `json:"limits"`
	Runs    []api.Run          `json:"runs"` // the newest that live
}

// topSeries are the series whose newest points are shown.
var topSeries = []string{"tasks_started", "tasks_finished", "tasks_failed", "retries", "runs_submitted", "runs_finished", "wait_p95", "run_p95"}

// overviewOf asks for all of it.
func (env *Env) overviewOf(ctx context.Context, c *httpapi.Client) (o overview, err error) {
	o = overview{Time: env.Now().UTC(), Live: map[string]int{}, Rates: map[string]float64{}, Limits: []api.Limit{}, Runs: []api.Run{}}
	if o.Server, err = c.Server(ctx); err != nil {
		return o, err
	}
	if o.Queues, err = c.Queues(ctx); err != nil {
		return o, err
	}
	if o.Workers, err = c.Workers(ctx); err != nil {
		return o, err
	}
	for l, err := range c.Limits(ctx) {
		if err != nil {
			return o, err
		}
		l.ActiveSlots, l.Waiters = nil, nil
		o.Limits = append(o.Limits, l)
	}
	series, _, err := read[httpapi.List[httpapi.MetricSeries]](ctx, c, "/metrics/series", url.Values{"name": topSeries, "span": {"1m"}})
	if err != nil {
		return o, err
	}
	for _, s := range series.Items {
		if n := len(s.Values); n > 0 && s.Values[n-1] != nil {
			o.Rates[s.Name] = *s.Values[n-1]
		}
	}
	n := 0
	for r, err := range httpapi.Pages[api.Run](ctx, c, "/runs", url.Values{"state": liveStates}, countedRuns+1) {
		if err != nil {
			return o, err
		}
		if n++; n > countedRuns {
			o.More = true
			break
		}
		o.Live[strings.ToLower(r.State.String())]++
		if len(o.Runs) < topRuns {
			o.Runs = append(o.Runs, r)
		}
	}
	o.sort()
	return o, nil
}

// sort puts first what somebody should look at.
func (o *overview) sort() {
	slices.SortStableFunc(o.Queues, func(a, b api.Queue) int {
		return cmp.Or(cmp.Compare(b.Ready, a.Ready), cmp.Compare(b.Running, a.Running), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(o.Workers, func(a, b api.Worker) int {
		return cmp.Or(cmp.Compare(b.Busy+b.Flows, a.Busy+a.Flows), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(o.Limits, func(a, b api.Limit) int {
		return cmp.Or(cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(b.Active, a.Active), cmp.Compare(a.Tag, b.Tag))
	})
}

func (env *Env) topOnce(ctx context.Context, c *httpapi.Client) error {
	o, err := env.overviewOf(ctx, c)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return env.printer.one(raw, "", func(f *facts) { env.showOverview(f, &o) })
}

// top shows it until somebody interrupts, which is the way to end it.
func (env *Env) top(ctx context.Context, c *httpapi.Client, every time.Duration, tty bool) error {
	news := env.news(ctx, c, "runs", "limits", "schedules", "workers")
	if !tty {
		news = nil
	}
	on := canvas{out: env.Out}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		o, err := env.overviewOf(ctx, c)
		if err == nil {
			err = env.drawOverview(&on, &o, tty)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if tty {
			if err := pause(ctx, min(topPace, every)); err != nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		case <-tick.C:
		}
	}
}

func (env *Env) drawOverview(on *canvas, o *overview, tty bool) error {
	if !tty {
		raw, err := json.Marshal(o)
		if err != nil {
			return err
		}
		return env.printer.json(raw, false)
	}
	var b bytes.Buffer
	p := env.printer
	p.out = &b
	f := &facts{p: &p}
	env.showOverview(f, o)
	if err := f.write(); err != nil {
		return err
	}
	return on.screen(b.String())
}
