package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// look of the states: the word is always there, the mark and the colour are not
// the only signal.
var states = map[api.State]struct{ mark, color string }{
	api.Pending:    {"○", "90"},
	api.Scheduled:  {"◷", "35"},
	api.Running:    {"▶", "34"},
	api.Paused:     {"‖", "33"},
	api.Cancelling: {"◐", "35"},
	api.Completed:  {"✓", "32"},
	api.Failed:     {"✗", "31"},
	api.Cancelled:  {"⊘", "90"},
	api.Crashed:    {"☇", "31"},
	api.Skipped:    {"⇥", "90"},
}

// state gives a state as it is shown.
func (p *printer) state(s api.State) string {
	word := strings.ToLower(s.String())
	if !p.people() {
		return word
	}
	return states[s].mark + " " + word
}

// moment gives a time as it is shown; "" for none.
func (p *printer) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if !p.people() || p.env.flags.time == "iso" {
		return p.iso(t)
	}
	return p.relative(t)
}

func (p *printer) iso(t time.Time) string {
	if p.env.flags.utc || !p.people() {
		t = t.UTC()
	} else {
		t = t.Local() //nolint:gosmopolitan // that of who reads it
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}

func (p *printer) relative(t time.Time) string {
	d := p.env.Now().Sub(t)
	switch {
	case d < 0:
		return "in " + span(-d)
	case d < time.Second:
		return "now"
	}
	return span(d) + " ago"
}

// span gives a duration with the two units that matter, as in 6m02s or 3d4h.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', 1, 64) + "s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// took is the time from a begin to an end, or to now.
func (p *printer) took(from, to time.Time) string {
	if from.IsZero() {
		return ""
	}
	if to.IsZero() {
		to = p.env.Now()
	}
	d := max(to.Sub(from), 0)
	if !p.people() {
		return strconv.FormatInt(d.Milliseconds(), 10)
	}
	return span(d)
}

// number gives 31,002 to people and 31002 to programs.
func (p *printer) number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	if !p.people() {
		return digits
	}
	var b strings.Builder
	for i, d := range digits {
		if left := len(digits) - i; i > 0 && left%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

func (p *printer) bytes(n int64) string {
	switch {
	case !p.people():
		return strconv.FormatInt(n, 10)
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// totals adds up the counts of a run's tasks.
func totals(r *api.Run) (t api.TaskCounts) {
	for _, c := range r.Tasks {
		t.Add(c)
	}
	return t
}

// counts gives those that are not 0, as in "2 running, 3 completed, 1 failed".
func (p *printer) counts(c api.TaskCounts) string {
	var parts []string
	for _, one := range []struct {
		n    int64
		word string
	}{{c.Running, "running"}, {c.Retrying, "retrying"}, {c.Pending, "pending"}, {c.Completed, "completed"}, {c.Failed, "failed"}, {c.Cancelled, "cancelled"}, {c.Skipped, "skipped"}, {c.Retries, "retries"}} {
		if one.n > 0 {
			parts = append(parts, p.number(one.n)+" "+one.word)
		}
	}
	return strings.Join(parts, ", ")
}

// first is the first line of a failure.
func first(f *api.Failure) string {
	if f == nil {
		return ""
	}
	text, _, _ := strings.Cut(f.Error(), "\n")
	if f.Task != "" {
		return f.Task + ": " + text
	}
	return cmp.Or(text, string(f.Code))
}
