package sim

import (
	"slices"

	"github.com/runnel-dev/runnel/api"
)

// queueNames are the queues that calls may have.
var queueNames = []string{"default", "gpu", "mail"}

// queue gives some calls a queue and a priority.
func (g *generator) queue(s *script, o *api.Options) {
	if !g.faults.queues {
		return
	}
	if g.one(2) {
		s.Queue = queueNames[g.choose.IntN(len(queueNames))]
		o.Queue = s.Queue
	}
	if g.one(3) {
		n := g.choose.IntN(3) - 1
		o.Priority = &n
	}
}

// serve chooses the queues that the next engine serves: of some lives all, of
// some none.
func (w *world) serve() {
	w.served = nil
	if !w.faults.queues || w.calm || w.rng.IntN(4) == 0 {
		return
	}
	w.served = []string{}
	for _, q := range queueNames {
		if w.rng.IntN(2) == 0 {
			w.served = append(w.served, q)
		}
	}
	w.did("serve %v", w.served)
}

// mayServe: nothing begins whose queue is not served.
func (w *world) mayServe(h *held) {
	queue := h.script.Queue
	if queue == "" {
		queue = queueNames[0]
	}
	if w.served == nil {
		return
	}
	w.counts["of some queues"]++
	if !slices.Contains(w.served, queue) {
		w.broken("body %s of queue %q begins in an engine that serves %q", h.script.Label, queue, w.served)
	}
}
