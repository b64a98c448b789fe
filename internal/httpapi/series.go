package httpapi

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/vital"
)

// sampleEvery is how often the finest series gets a point.
const sampleEvery = 10 * time.Second

// quarter is how many of those are a quarter of an hour.
const quarter = 90

// resolutions of series, the finest first: 15 minutes, 6 hours, a day, a week.
var resolutions = []struct {
	step time.Duration
	keep int
}{{sampleEvery, quarter}, {time.Minute, 360}, {5 * time.Minute, 288}, {30 * time.Minute, 336}}

// sample is what is known at one time.
type sample struct {
	vital.Snapshot

	clients, waiting, goroutines int
	heap                         uint64
	limits                       map[string]limitUse  // by tag
	waits                        map[string]limitWait // by tag
}

// seriesKind is one series: its value from one sample to another.
type seriesKind struct {
	name, unit, help string
	value            func(from, to *sample, seconds float64) float64
}

func rate(of func(*vital.Totals) int64) func(from, to *sample, s float64) float64 {
	return func(from, to *sample, s float64) float64 { return float64(of(&to.Totals)-of(&from.Totals)) / s }
}

// quantile gives one in milliseconds; NaN if nothing was counted.
func quantile(q float64, of func(*vital.Totals) *vital.Histogram) func(from, to *sample, s float64) float64 {
	return func(from, to *sample, _ float64) float64 {
		d := of(&to.Totals).Since(of(&from.Totals))
		if d.N == 0 {
			return math.NaN()
		}
		return d.Quantile(q) / 1000
	}
}

func level(of func(*sample) float64) func(from, to *sample, s float64) float64 {
	return func(_, to *sample, _ float64) float64 { return of(to) }
}

func waitOf(t *vital.Totals) *vital.Histogram   { return &t.Wait }
func runOf(t *vital.Totals) *vital.Histogram    { return &t.Run }
func commitOf(t *vital.Totals) *vital.Histogram { return &t.Commit }

func endedOf(t *vital.Totals) int64 {
	return t.TasksCompleted + t.TasksFailed + t.TasksCanceled + t.TasksSkipped
}

var seriesKinds = []seriesKind{
	{"tasks_started", "1/s", "Bodies of tasks that began", func(from, to *sample, s float64) float64 {
		return max(float64(to.Attempts-from.Attempts+int64(to.Busy+to.Flows)-int64(from.Busy+from.Flows))/s, 0)
	}},
	{"tasks_finished", "1/s", "Task runs that ended", rate(endedOf)},
	{"tasks_failed", "1/s", "Task runs that failed", rate(func(t *vital.Totals) int64 { return t.TasksFailed })},
	{"retries", "1/s", "Attempts that were tried again", rate(func(t *vital.Totals) int64 { return t.Retries })},
	{"runs_submitted", "1/s", "Runs that were submitted", rate(func(t *vital.Totals) int64 { return t.Submitted })},
	{"runs_finished", "1/s", "Runs that ended", rate(func(t *vital.Totals) int64 { return t.RunsCompleted + t.RunsFailed + t.RunsCanceled })},
	{"wait_p50", "ms", "Half of the attempts began sooner after they could", quantile(0.5, waitOf)},
	{"wait_p95", "ms", "95 of 100 began sooner", quantile(0.95, waitOf)},
	{"wait_p99", "ms", "99 of 100 began sooner", quantile(0.99, waitOf)},
	{"run_p50", "ms", "Half of the bodies ran shorter", quantile(0.5, runOf)},
	{"run_p95", "ms", "95 of 100 ran shorter", quantile(0.95, runOf)},
	{"run_p99", "ms", "99 of 100 ran shorter", quantile(0.99, runOf)},
	{"commit_p50", "ms", "Half of the store's transactions took less", quantile(0.5, commitOf)},
	{"commit_p99", "ms", "99 of 100 took less", quantile(0.99, commitOf)},
	{"commits", "1/s", "Transactions of the store", rate(func(t *vital.Totals) int64 { return t.Commits })},
	{"uncommitted", "", "Changes that wait for the store", level(func(s *sample) float64 { return float64(s.Uncommitted) })},
	{"cache_hit_rate", "", "The part of look-ups in the cache that found a result", func(from, to *sample, _ float64) float64 {
		hits, misses := float64(to.Hits-from.Hits), float64(to.Misses-from.Misses)
		return hits / (hits + misses) // NaN for none
	}},
	{"busy", "", "Bodies that run", level(func(s *sample) float64 { return float64(s.Busy) })},
	{"slot_waiting", "", "Task runs that wait for a slot of a limit", level(func(s *sample) float64 { return float64(s.waiting) })},
	{"sse_clients", "", "Event streams that are open", level(func(s *sample) float64 { return float64(s.clients) })},
	{"goroutines", "", "Goroutines of the process", level(func(s *sample) float64 { return float64(s.goroutines) })},
	{"heap", "B", "Memory of live objects, and of dead ones that were not collected yet", level(func(s *sample) float64 { return float64(s.heap) })},
}

// history keeps series at all resolutions, in memory that does not grow.
type history struct {
	mu     sync.Mutex
	rings  []ring
	queues queueRates
	limits track[limitUse]
	waits  track[limitWait]
}

// ring is the newest points of all series at one resolution.
type ring struct {
	last   sample // at which the newest point ended
	begun  bool
	points []point // at most as many as are kept, the oldest first from head on
	head   int
}

type point struct {
	end    time.Time
	values [32]float32
}

func newHistory() *history {
	return &history{
		rings:  make([]ring, len(resolutions)),
		queues: queueRates{track: track[queueRate]{step: sampleEvery, keep: quarter}},
		limits: track[limitUse]{step: sampleEvery, keep: quarter},
		waits:  track[limitWait]{step: time.Minute, keep: 60},
	}
}

// add takes a sample. A coarse point is made of the sums of what it spans, not of finer
// points, so its quantiles are right.
func (h *history) add(s *sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queues.add(s)
	h.limits.add(s.At, s.limits)
	h.limits.forget(func(u limitUse) bool { return !u.there })
	if h.waits.due(s.At) {
		h.waits.add(s.At, s.waits)
		h.waits.forget(func(w limitWait) bool { return !w.there })
	}
	for i := range h.rings {
		h.rings[i].add(s, resolutions[i].step, resolutions[i].keep)
	}
}

func (r *ring) add(s *sample, step time.Duration, keep int) {
	took := s.At.Sub(r.last.At)
	switch {
	case !r.begun || took < 0: // the first, or the clock was set back
		r.begun, r.last = true, *s
		return
	case took < step-step/20: // tickers are not exact
		return
	}
	p := point{end: s.At}
	for i, k := range seriesKinds {
		p.values[i] = float32(k.value(&r.last, s, took.Seconds()))
	}
	r.last = *s
	if len(r.points) < keep {
		r.points = append(r.points, p)
		return
	}
	r.points[r.head] = p
	r.head = (r.head + 1) % keep
}

// MetricName is a series that there is.
type MetricName struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty" doc:"1/s, ms or B; none: it is a number"`
	Help string `json:"help"`
}

// MetricSeries is a series over a span.
type MetricSeries struct {
	MetricName

	Step   int64      `json:"step_ms" doc:"Between two points"`
	Times  []int64    `json:"times" doc:"Milliseconds since 1970 at which each point ends, the oldest first"`
	Values []*float64 `json:"values" doc:"null where there was nothing to measure"`
}

type seriesInput struct {
	Name []string `query:"name,explode" required:"true" minItems:"1" maxItems:"32" doc:"Names that GET /metrics lists"`
	Step string   `query:"step" doc:"At least so long between points, as in 1m; default: as fine as the span allows"`
	Span string   `query:"span" doc:"As in 6h; at most 168h. Default 15m"`
}

func (a *routes) seriesRoutes(api huma.API) {
	const group = "metrics"
	do(a, api, op(http.MethodGet, "/metrics", "list-metrics", group, "List the series that are kept in memory"), a.listMetrics)
	do(a, api, op(http.MethodGet, "/metrics/series", "get-series", group, "Read series, of this process since it began"), a.getSeries)
	do(a, api, op(http.MethodGet, "/metrics/queues", "get-queue-series", group, "Read how many bodies of each queue ended in a second, or how much came into it, in this process over the last quarter of an hour"), a.getQueueSeries)
	do(a, api, op(http.MethodGet, "/metrics/limits", "get-limit-series", group, "Read how a limit of a tag was used over the last quarter of an hour, as this process saw it: slots that were taken, who waited, and the limit"), a.getLimitSeries)
	do(a, api, op(http.MethodGet, "/metrics/limit-waits", "get-limit-waits", group, "Read of each limit of a tag how long 95 of 100 waited at most for a slot, over the last hour, as this process saw it"), a.getLimitWaits)
}

func (a *routes) listMetrics(context.Context, *empty) (*body[List[MetricName]], error) {
	l := List[MetricName]{Items: make([]MetricName, 0, len(seriesKinds))}
	for _, k := range seriesKinds {
		l.Items = append(l.Items, MetricName{k.name, k.unit, k.help})
	}
	return answer(l), nil
}

func (a *routes) getSeries(_ context.Context, in *seriesInput) (*body[List[MetricSeries]], error) {
	span, err := spanOf("query.span", cmp.Or(in.Span, "15m"))
	if err != nil {
		return nil, err
	}
	step, err := spanOf("query.step", cmp.Or(in.Step, sampleEvery.String()))
	if err != nil {
		return nil, err
	}
	var l List[MetricSeries]
	for _, name := range in.Name {
		i := slices.IndexFunc(seriesKinds, func(k seriesKind) bool { return k.name == name })
		if i < 0 {
			return nil, api.Errorf(api.ErrInvalid, "query.name", "there is no series %q; GET %s/metrics lists them", name, Base)
		}
		l.Items = append(l.Items, a.history.series(i, step, span, a.now()))
	}
	return answer(l), nil
}

func spanOf(where, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > 7*24*time.Hour {
		return 0, api.Errorf(api.ErrInvalid, where, "%q is no span: want one as in 15m, 6h or 168h, which is the longest", text)
	}
	return d, nil
}

// series gives series i, from the finest resolution that reaches back far enough.
func (h *history) series(i int, step, span time.Duration, now time.Time) MetricSeries {
	k := seriesKinds[i]
	at := slices.IndexFunc(resolutions, func(r struct {
		step time.Duration
		keep int
	},
	) bool {
		return r.step >= step && r.step*time.Duration(r.keep) >= span
	})
	if at < 0 {
		at = len(resolutions) - 1
	}
	out := MetricSeries{MetricName: MetricName{k.name, k.unit, k.help}, Step: resolutions[at].step.Milliseconds(), Times: []int64{}, Values: []*float64{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &h.rings[at]
	for j := range r.points {
		p := &r.points[(r.head+j)%len(r.points)]
		if now.Sub(p.end) > span {
			continue
		}
		out.Times = append(out.Times, p.end.UnixMilli())
		if v := float64(p.values[i]); math.IsNaN(v) {
			out.Values = append(out.Values, nil)
		} else {
			out.Values = append(out.Values, &v)
		}
	}
	return out
}

// record samples until ctx ends.
func (a *routes) record(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		if s := a.sample(ctx); s != nil {
			a.history.add(s)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sample gives how things are, nil if the engine is elsewhere.
func (a *routes) sample(ctx context.Context) *sample {
	svc := a.svc()
	v := svc.Vitals(ctx, false)
	if v == nil {
		return nil
	}
	s := &sample{Snapshot: *v, clients: a.hub.open(), goroutines: runtime.NumGoroutine(), heap: heap(), limits: map[string]limitUse{}, waits: map[string]limitWait{}}
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for l, err := range svc.Limits(short) {
		if err != nil {
			break
		}
		s.waiting += l.Waiting
		s.limits[l.Tag] = limitUse{limit: l.Limit, used: l.Active, waiting: l.Waiting, there: true}
		s.waits[l.Tag] = limitWait{time.Duration(l.WaitP95), true}
	}
	return s
}

// heap asks the runtime, which does not stop for that.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}
