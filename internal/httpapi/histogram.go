package httpapi

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// Histogram counts runs by when they were created and by state.
type Histogram struct {
	From   time.Time          `json:"from"`
	StepMS int64              `json:"step_ms" doc:"How long each bucket is"`
	States map[string][]int64 `json:"states" doc:"By state: how many of each bucket, the oldest first"`
	Total  map[string]int64   `json:"total" doc:"By state: how many in all"`
	// More says that there are so many that only the newest were counted.
	More bool `json:"more" doc:"There are too many to count: these are the newest 20,000"`
}

type histogramInput struct {
	Since   time.Time `query:"since" required:"true" doc:"Created at or after"`
	Until   time.Time `query:"until" required:"true" doc:"Created before"`
	Buckets int       `query:"buckets" minimum:"1" maximum:"120" default:"60" doc:"How many of the same length"`
	Q       string    `query:"q" maxLength:"2000" doc:"In the filter language"`
}

func (a *routes) histogramRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/histogram/runs", "count-runs", "runs", "Count runs by state over time"), a.histogram)
}

func (a *routes) histogram(ctx context.Context, in *histogramInput) (*body[Histogram], error) {
	span := in.Until.Sub(in.Since)
	if span < time.Duration(in.Buckets)*time.Millisecond {
		return nil, api.Errorf(api.ErrInvalid, "query.until", "want a time after since, by a millisecond a bucket at least")
	}
	if h, ok := a.counted.find(in, a.now()); ok {
		return answer(h), nil
	}
	began := a.now()
	list, keep, err := a.chosenRuns(ctx, &RunsQuery{Since: in.Since, Until: in.Until, Q: in.Q})
	if err != nil {
		return nil, err
	}
	step := span / time.Duration(in.Buckets)
	h := Histogram{From: in.Since.UTC(), StepMS: step.Milliseconds(), States: map[string][]int64{}, Total: map[string]int64{}}
	seen := 0
	for r, err := range list {
		switch {
		case err != nil:
			return nil, err
		case seen == scanned:
			h.More = true
		}
		if h.More {
			break
		}
		seen++
		if keep == nil || keep(&r) {
			h.add(&r, int(min(r.Created.Sub(in.Since)/step, time.Duration(in.Buckets)-1)), in.Buckets)
		}
	}
	a.counted.keep(in, h, began, a.now())
	return answer(h), nil
}

func (h *Histogram) add(r *api.Run, bucket, buckets int) {
	state := strings.ToLower(r.State.String())
	if h.States[state] == nil {
		h.States[state] = make([]int64, buckets)
	}
	h.States[state][max(bucket, 0)]++
	h.Total[state]++
}

// counted keeps the newest histograms for a short time: many look at the same one, and
// it is made of many rows.
type counted struct {
	mu  sync.Mutex
	all map[histogramInput]keptHistogram
}

type keptHistogram struct {
	Histogram

	until time.Time
}

const (
	freshCount = time.Second
	// A histogram is kept for so many times as long as it took to make.
	countShare     = 20
	keptHistograms = 50
)

func (c *counted) find(in *histogramInput, now time.Time) (Histogram, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.all[*in]
	return h.Histogram, ok && now.Before(h.until)
}

func (c *counted) keep(in *histogramInput, h Histogram, began, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= keptHistograms {
		c.all = map[histogramInput]keptHistogram{}
	}
	c.all[*in] = keptHistogram{h, now.Add(max(freshCount, countShare*now.Sub(began)))}
}
