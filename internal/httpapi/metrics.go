package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/runnel-dev/runnel/internal/vital"
)

// metricsHandler serves /metrics, from a registry of its own.
func (a *routes) metricsHandler() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &collector{a})
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)})
}

// metric is one that GET /metrics has of Runnel's own. docs/observability.md lists them.
type metric struct {
	name, help string
	labels     []string
	kind       prometheus.ValueType
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

func (m metric) desc() *prometheus.Desc {
	return prometheus.NewDesc("runnel_"+m.name, m.help, m.labels, nil)
}

// metrics are those that are one number for each set of labels.
var (
	runsNow     = metric{"runs", "Runs that are live in this process", []string{"state"}, gauge}
	runsBegun   = metric{"runs_submitted_total", "Runs that were submitted to this process", nil, counter}
	runsEnded   = metric{"runs_ended_total", "Runs that ended in this process", []string{"state"}, counter}
	tasksNow    = metric{"task_runs", "Task runs of live runs, and children of groups that have not begun", []string{"state"}, gauge}
	tasksEnded  = metric{"task_runs_ended_total", "Task runs that ended", []string{"state"}, counter}
	attemptsEnd = metric{"attempts_total", "Bodies of tasks that ended, those that were tried again too", nil, counter}
	retries     = metric{"retries_total", "Attempts that failed and were tried again", nil, counter}
	queueReady  = metric{"queue_ready", "Task runs that wait for a worker only", []string{"queue"}, gauge}
	queueRuns   = metric{"queue_running", "Task runs whose body runs", []string{"queue"}, gauge}
	queueOldest = metric{"queue_oldest_seconds", "For how long the oldest has waited for a worker", []string{"queue"}, gauge}
	queueEnded  = metric{"queue_attempts_total", "Bodies of a queue that ended, those that were tried again too", []string{"queue"}, counter}
	queueCame   = metric{"queue_arrivals_total", "What came into a queue, to be tried again too", []string{"queue"}, counter}
	places      = metric{"worker_places", "Bodies that may run in this process at a time", nil, gauge}
	busy        = metric{"worker_busy", "Bodies that run in this process", nil, gauge}
	flows       = metric{"worker_flows", "Flows in progress in this process, which take no place", nil, gauge}
	slots       = metric{"limit_slots", "Slots of a limit of a tag", []string{"tag"}, gauge}
	slotsUsed   = metric{"limit_slots_used", "Slots of a limit of a tag that are taken", []string{"tag"}, gauge}
	slotsWait   = metric{"limit_waiting", "Task runs that wait for a slot of a tag", []string{"tag"}, gauge}
	global      = metric{"global_limit_slots", "Slots of a global limit", []string{"name"}, gauge}
	globalUsed  = metric{"global_limit_slots_used", "Slots of a global limit that are taken", []string{"name"}, gauge}
	globalWait  = metric{"global_limit_waiting", "Bodies that wait for slots of a global limit", []string{"name"}, gauge}
	commits     = metric{"commits_total", "Transactions of the store that changed runs", nil, counter}
	changes     = metric{"committed_changes_total", "Changes of runs in those transactions", nil, counter}
	uncommitted = metric{"uncommitted_changes", "Changes of runs that wait for the store", nil, gauge}
	reachable   = metric{"store_reachable", "1 if the store answers", nil, gauge}
	cacheHits   = metric{"cache_hits_total", "Results taken from the cache", nil, counter}
	cacheMisses = metric{"cache_misses_total", "Bodies of tasks with a cache key that found no result", nil, counter}
	lateAnswers = metric{"late_answers_total", "Answers and changes that were refused since others had taken over", nil, counter}
	leasesLost  = metric{"leases_lost_total", "How often this process was given up by the others", nil, counter}
	sseClients  = metric{"sse_clients", "Event streams that are open", nil, gauge}
)

var allMetrics = []metric{
	runsNow, runsBegun, runsEnded, tasksNow, tasksEnded, attemptsEnd, retries, queueReady, queueRuns, queueOldest, queueEnded, queueCame, places, busy, flows,
	slots, slotsUsed, slotsWait, global, globalUsed, globalWait, commits, changes, uncommitted, reachable, cacheHits, cacheMisses,
	lateAnswers, leasesLost, sseClients,
}

// Histograms have a bucket for each power of two from 2^from to 2^to, times unit.
type histogram struct {
	metric

	from, to int
	unit     float64
	of       func(*vital.Totals) *vital.Histogram
}

const micro = 1e-6

var histograms = []histogram{
	{metric{"wait_seconds", "From when an attempt could begin to when it did, to about a millisecond", nil, 0}, 10, 36, micro, func(t *vital.Totals) *vital.Histogram { return &t.Wait }},
	{metric{"attempt_seconds", "How long bodies ran", nil, 0}, 7, 36, micro, func(t *vital.Totals) *vital.Histogram { return &t.Run }},
	{metric{"commit_seconds", "How long the store took for a transaction", nil, 0}, 7, 26, micro, func(t *vital.Totals) *vital.Histogram { return &t.Commit }},
	{metric{"commit_changes", "Changes of runs in one transaction", nil, 0}, 0, 12, 1, func(t *vital.Totals) *vital.Histogram { return &t.Batch }},
}

// collector gives what the service says when it is asked.
type collector struct{ a *routes }

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range allMetrics {
		to <- m.desc()
	}
	for _, h := range histograms {
		to <- h.desc()
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	put := func(m metric, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(m.desc(), m.kind, v, labels...)
	}
	put(sseClients, float64(c.a.hub.open()))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) //nolint:forbidigo // collectors have none
	defer cancel()
	svc := c.a.svc()
	if s := svc.Vitals(ctx, true); s != nil {
		c.totals(put, to, &s.Totals)
		c.levels(put, s)
	}
	for l, err := range svc.Limits(ctx) {
		if err != nil {
			break
		}
		put(slots, float64(l.Limit), l.Tag)
		put(slotsUsed, float64(l.Active), l.Tag)
		put(slotsWait, float64(l.Waiting), l.Tag)
	}
	for l, err := range svc.GlobalLimits(ctx) {
		if err != nil {
			break
		}
		put(global, float64(l.Limit), l.Name)
		put(globalUsed, float64(l.ActiveSlots), l.Name)
		put(globalWait, float64(l.Waiting), l.Name)
	}
}

type putter func(m metric, v float64, labels ...string)

func (c *collector) totals(put putter, to chan<- prometheus.Metric, t *vital.Totals) {
	for _, n := range []struct {
		m     metric
		n     int64
		state []string
	}{
		{runsBegun, t.Submitted, nil},
		{runsEnded, t.RunsCompleted, []string{"completed"}},
		{runsEnded, t.RunsFailed, []string{"failed"}},
		{runsEnded, t.RunsCanceled, []string{"cancelled"}},
		{tasksEnded, t.TasksCompleted, []string{"completed"}},
		{tasksEnded, t.TasksFailed, []string{"failed"}},
		{tasksEnded, t.TasksCanceled, []string{"cancelled"}},
		{tasksEnded, t.TasksSkipped, []string{"skipped"}},
		{attemptsEnd, t.Attempts, nil},
		{retries, t.Retries, nil},
		{commits, t.Commits, nil},
		{changes, t.Changes, nil},
		{cacheHits, t.Hits, nil},
		{cacheMisses, t.Misses, nil},
		{lateAnswers, t.Late, nil},
		{leasesLost, t.Lost, nil},
	} {
		put(n.m, float64(n.n), n.state...)
	}
	for _, h := range histograms {
		of := h.of(t)
		buckets := make(map[float64]uint64, h.to-h.from+1)
		for i, n := range of.Below(h.from, h.to) {
			buckets[float64(uint64(1)<<(h.from+i))*h.unit] = uint64(n)
		}
		to <- prometheus.MustNewConstHistogram(h.desc(), uint64(of.N), float64(of.Sum)*h.unit, buckets)
	}
}

func (c *collector) levels(put putter, s *vital.Snapshot) {
	for state, n := range s.Runs {
		put(runsNow, float64(n), strings.ToLower(state))
	}
	put(tasksNow, float64(s.Pending), "pending")
	put(tasksNow, float64(s.Running), "running")
	put(tasksNow, float64(s.Retrying), "retrying")
	for name, q := range s.Queues {
		put(queueReady, float64(q.Ready), name)
		put(queueRuns, float64(q.Running), name)
		oldest := 0.0
		if !q.Oldest.IsZero() {
			oldest = max(s.At.Sub(q.Oldest).Seconds(), 0)
		}
		put(queueOldest, oldest, name)
	}
	for name, n := range s.Ended {
		put(queueEnded, float64(n), name)
	}
	for name, n := range s.Came {
		put(queueCame, float64(n), name)
	}
	put(places, float64(s.Places))
	put(busy, float64(s.Busy))
	put(flows, float64(s.Flows))
	put(uncommitted, float64(s.Uncommitted))
	up := 0.0
	if s.Reachable {
		up = 1
	}
	put(reachable, up)
}
