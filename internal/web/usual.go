package web

import (
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// usual is how long runs that are alike take: the median, and what all but a twentieth
// take no longer than.
type usual struct{ Median, P95 time.Duration }

// usualOf sorts how long some took. It is nothing of none.
func usualOf(took []time.Duration) usual {
	n := len(took)
	if n == 0 {
		return usual{}
	}
	slices.Sort(took)
	return usual{took[n/2], took[(n*95+99)/100-1]}
}

const (
	usualRuns = 500              // so many of the newest are looked at
	usualFor  = 10 * time.Second // and what is found is good for so long
	usualMin  = 20               // of fewer that are alike nobody can tell which are long
)

// usuals keeps how long runs take by what makes them alike, for everybody: a list of runs
// is looked at again with each change, and this would be most of what it costs.
type usuals struct {
	mu    sync.Mutex
	until time.Time
	found map[string]usual
}

// alike is what runs that are compared have in common: their name, or the schedule that
// made them, which gives each a name of its own.
func alike(r *api.Run) string {
	if r.Schedule != nil {
		return "by " + r.Schedule.Name
	}
	return "as " + r.Name
}

// usual tells how long runs take that are alike, of which enough have ended.
func (v *view) usual() (map[string]usual, error) {
	u, now := &v.site.usuals, v.site.now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Before(u.until) {
		return u.found, nil
	}
	runs, err := get[list[api.Run]](v, "/runs", url.Values{"limit": {number0(usualRuns)}})
	if err != nil {
		return nil, err
	}
	took := map[string][]time.Duration{}
	for i := range runs.Items {
		if r := &runs.Items[i]; r.State.Final() {
			took[alike(r)] = append(took[alike(r)], r.Finished.Sub(r.Created))
		}
	}
	found := map[string]usual{}
	for key, all := range took {
		if len(all) >= usualMin {
			found[key] = usualOf(all)
		}
	}
	u.found, u.until = found, now.Add(usualFor)
	return found, nil
}

// comparison is how long a run takes beside others like it.
type comparison struct {
	Slow  bool
	Says  string
	Width int // of a thousand, at half of which the median is; 0 while it is live
}

// against compares a run with what is usual, nil if that is not known.
func (u usual) against(r *api.Run, now time.Time) *comparison {
	if u.Median <= 0 || r.State == api.Scheduled {
		return nil
	}
	b := &comparison{Says: "half of the runs like it take " + span(u.Median) + ", 95 of 100 at most " + span(u.P95)}
	took := now.Sub(r.Created)
	if r.State.Final() {
		took = r.Finished.Sub(r.Created)
		b.Width = barWidth
		if took < 2*u.Median {
			b.Width = max(int(took*barWidth/2/u.Median), leastPart)
		}
	}
	b.Slow = took > u.P95
	return b
}
