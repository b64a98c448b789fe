package web

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// day is when schedules make runs in the next 24 hours, a lane for each: to see what
// comes together.
type day struct {
	From   time.Time
	Lanes  []lane
	Hours  []time.Time // a quarter of the day each
	Height []hourBar   // how many begin in each hour
	Most   string      // when most begin
}

type hourBar struct {
	X, Y, Height int
	Title        string
}

// lane is one schedule's runs to come, where a minute is 1 wide.
type lane struct {
	link

	Marks []dayMark
	Says  string
}

// dayMark is one run to come, as wide as its runs take.
type dayMark struct{ X, Width int }

const (
	dayHours   = 25 // what is left of the one at hand, and 24 more
	dayMinutes = dayHours * 60
	leastMark  = 4    // so that it is seen
	mostMarks  = 1000 // of one schedule
	hourHeight = 32
)

// readDay gives the runs to come of schedules; nil if there are none.
func readDay(v *view, rows []scheduleRow) (*day, error) {
	d := &day{From: v.site.now().UTC().Truncate(time.Hour)}
	var hours [dayHours]int
	for i := range rows {
		s := &rows[i]
		if s.Paused || len(s.Next) == 0 || s.Next[0].Sub(d.From) >= dayMinutes*time.Minute {
			continue
		}
		times, err := d.times(v, s)
		if err != nil {
			return nil, err
		}
		l := lane{link: link{s.Name, s.URL}}
		wide := max(int(middle(s.Past)/time.Minute), leastMark)
		var said []string
		for _, t := range times {
			x := int(t.Sub(d.From) / time.Minute)
			if x < 0 || x >= dayMinutes {
				continue
			}
			l.Marks = append(l.Marks, dayMark{x, min(wide, dayMinutes-x)})
			hours[x/60]++
			if len(said) < 3 {
				said = append(said, t.UTC().Format("15:04"))
			}
		}
		l.Says = plural(len(l.Marks), "run") + ": " + strings.Join(said, ", ") + " UTC"
		if len(l.Marks) > len(said) {
			l.Says += " and on"
		}
		d.Lanes = append(d.Lanes, l)
	}
	if len(d.Lanes) == 0 {
		return nil, nil
	}
	d.fill(hours[:])
	return d, nil
}

// times gives when a schedule makes runs that day. Of most the list has all of them.
func (d *day) times(v *view, s *scheduleRow) ([]time.Time, error) {
	if last := s.Next[len(s.Next)-1]; last.Sub(d.From) >= dayMinutes*time.Minute {
		return s.Next, nil
	}
	found, err := get[struct{ Times []time.Time }](v, at("/schedules/%/next", s.Name), url.Values{"n": {number0(mostMarks)}})
	return found.Times, err
}

// fill adds how many begin in each hour.
func (d *day) fill(hours []int) {
	most := slices.Max(hours)
	for i, n := range hours {
		at := d.From.Add(time.Duration(i) * time.Hour)
		if i%6 == 0 && i < 24 {
			d.Hours = append(d.Hours, at)
		}
		if n > 0 {
			height := max(n*hourHeight/most, 2)
			d.Height = append(d.Height, hourBar{X: i * 60, Y: hourHeight - height, Height: height, Title: plural(n, "run") + " from " + at.Format("15:04") + " UTC on"})
		}
	}
	if most > 1 {
		at := d.From.Add(time.Duration(slices.Index(hours, most)) * time.Hour)
		d.Most = number(most) + " begin within the hour from " + at.Format("15:04") + " UTC on."
	}
}

// middle is the median of how long runs took; 0: none has ended.
func middle(past []square) time.Duration {
	var took []time.Duration
	for _, s := range past {
		if s.Took > 0 {
			took = append(took, s.Took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2]
}
