package sim

import (
	"time"

	"github.com/runnel-dev/runnel/api"
)

// epoch is when every simulation begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// late has some calls begin later. Which ones follows from their labels, so that
// it changes no other choice.
func (g *generator) late(s *script, o *api.Options) {
	if !g.faults.late {
		return
	}
	n := int(hash("late", s.Label)[7] - '0') // below ten, or far above
	switch {
	case n < 4:
		o.StartAfter = api.Duration(time.Duration(1+n*n) * time.Second)
	case n < 8:
		s.Due = n * n / 2
		o.StartAt = epoch.Add(time.Duration(s.Due) * time.Second)
	}
}

// punctual: no body begins before its time.
func (w *world) punctual(s *script) {
	if s.Due == 0 {
		return
	}
	w.counts["bodies with a time to begin"]++
	if due := epoch.Add(time.Duration(s.Due) * time.Second); w.now.Before(due) {
		w.broken("%s begins %s too early", s.Label, due.Sub(w.now))
	}
}
