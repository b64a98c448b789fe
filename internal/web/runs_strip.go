package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// strip is the runs of a time by state: a bar for each part of it, and how many there
// are in all.
type strip struct {
	Bars   []stripBar
	Totals []part
	Spans  []savedView
	From   time.Time
	Span   string
	More   bool // they are too many to count
	Top    int64
	Step   int // minutes that a bar stands for
	Count  int // bars, with those that are empty
}

// stripBar is one part of the time. It leads to its runs.
type stripBar struct {
	X     int
	Parts []stripPart
	Title string
	URL   string
}

// stripPart is the runs of one state in a bar.
type stripPart struct {
	Word      string
	Y, Height int64
}

// spans are the times that can be looked at, in parts that people count by.
var spans = []timeSpan{
	{"1h", time.Hour, time.Minute},
	{"6h", 6 * time.Hour, 5 * time.Minute},
	{"24h", 24 * time.Hour, 20 * time.Minute},
	{"7d", 7 * 24 * time.Hour, 2 * time.Hour},
	{"30d", 30 * 24 * time.Hour, 8 * time.Hour},
}

type timeSpan struct {
	name       string
	span, step time.Duration
}

const (
	stripHeight = 44
	barStep     = 10 // from one bar to the next; each is a little less wide
)

// stripOrder is that of the states in a bar from below; their totals go the other way
// round, what somebody has to look at first.
var stripOrder = []string{"COMPLETED", "RUNNING", "SCHEDULED", "PENDING", "PAUSED", "CANCELLING", "CANCELLED", "FAILED", "CRASHED"}

// readStrip counts the runs of a time that fit a filter; nil if there are none.
func readStrip(v *view, name, text string) (*strip, error) {
	s := spans[2] // a day
	if i := slices.IndexFunc(spans, func(s timeSpan) bool { return s.name == name }); i >= 0 {
		s = spans[i]
	}
	until := v.site.now().UTC().Truncate(s.step).Add(s.step)
	from, n := until.Add(-s.span), int(s.span/s.step)
	h, err := get[httpapi.Histogram](v, "/histogram/runs", url.Values{
		"since": {instant(from)}, "until": {instant(until)}, "buckets": {number0(n)}, "q": {text},
	})
	if err != nil {
		return nil, err
	}
	out := &strip{From: from, Span: s.name, More: h.More, Step: int(s.step / time.Minute), Count: n}
	for _, one := range spans {
		q := url.Values{"span": {one.name}}
		if text != "" {
			q.Set("q", text)
		}
		out.Spans = append(out.Spans, savedView{link: link{one.name, "runs?" + q.Encode()}, Active: one.name == s.name})
	}
	for _, state := range slices.Backward(stripOrder) {
		l := looks[state]
		if total := h.Total[l.Word]; total > 0 {
			q := url.Values{"q": {strings.TrimSpace(text + " state:" + l.Word + " since:" + s.name)}, "span": {s.name}}
			out.Totals = append(out.Totals, part{look: l, N: total, URL: "runs?" + q.Encode()})
		}
	}
	out.fill(&h, n, s.step, text)
	return out, nil
}

// fill makes the bars.
func (s *strip) fill(h *httpapi.Histogram, n int, step time.Duration, text string) {
	sums := make([]int64, n)
	for _, counts := range h.States {
		for i, c := range counts[:min(len(counts), n)] {
			sums[i] += c
		}
	}
	if n > 0 {
		s.Top = slices.Max(sums)
	}
	for i, sum := range sums {
		if sum == 0 {
			continue
		}
		at := s.From.Add(time.Duration(i) * step)
		b := stripBar{X: i * barStep, Title: clock(at) + " UTC: " + plural(int(sum), "run")}
		b.URL = "runs?" + url.Values{"q": {strings.TrimSpace(text + " created:" + at.Format("2006-01-02T15:04") + ".." + at.Add(step-time.Minute).Format("2006-01-02T15:04"))}, "span": {s.Span}}.Encode()
		y := int64(stripHeight)
		for _, state := range stripOrder {
			counts := h.States[looks[state].Word]
			if i >= len(counts) || counts[i] == 0 {
				continue
			}
			height := max(counts[i]*stripHeight/s.Top, 2)
			y = max(y-height, 0)
			b.Parts = append(b.Parts, stripPart{Word: looks[state].Word, Y: y, Height: height})
			b.Title += ", " + number(counts[i]) + " " + looks[state].Word
		}
		s.Bars = append(s.Bars, b)
	}
}

// stripWidth is how wide the drawing of a span is.
func stripWidth(name string) int {
	for _, s := range spans {
		if s.name == name {
			return int(s.span/s.step) * barStep
		}
	}
	return barStep
}
