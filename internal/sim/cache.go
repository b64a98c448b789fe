package sim

import (
	"slices"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// cacheKeys is how many keys cached calls share.
const cacheKeys = 3

// cachedCall makes a call of a cached task. Whether its body runs depends on what
// others left, so it gives what follows from its key, and fails no more often
// than it may try again.
func (g *generator) cachedCall(none bool) api.Step {
	s := &script{Label: "c" + strconv.Itoa(g.labels), Cache: "k" + strconv.Itoa(g.choose.IntN(cacheKeys))}
	said := &script{}
	o := g.trouble(said)
	s.Queue = said.Queue
	if o == nil {
		o = &api.Options{}
	}
	o.Timeout = 0
	if g.faults.fail && o.Retry != nil {
		s.Fail = g.choose.IntN(o.Retry.Max + 1)
	}
	switch g.choose.IntN(4) {
	case 0:
		o.CacheExpiration = api.Duration(time.Duration(g.choose.IntN(3)-1) * time.Second)
	case 1:
		s.Refresh = g.one(2)
		o.RefreshCache = s.Refresh
	}
	if g.faults.big && g.one(3) {
		s.Pad = 70_000
		s.Cache += "L" // what follows from a key is one value
	}
	if o.IsZero() {
		o = nil
	}
	task := "doC"
	if none {
		task = "startC"
	}
	return callStep(task, s, o)
}

// uncached makes a plain call of one that may be cached.
func uncached(c *api.Call, s *script) {
	if s.Cache != "" {
		s.Cache, s.Pad = "", 0
		c.Task = c.Task[:len(c.Task)-1]
	}
}

// cacheKey gives the key of a job to a worker.
func cacheKey(job *api.Job) (string, []api.CachePart, error) {
	key := scriptOf(job.Bound).Cache
	return key, []api.CachePart{{Name: "key", Value: key}}, nil
}

// mayCache: a body with a cache key begins only if the cache has nothing for it,
// and alone.
func (w *world) mayCache(h *held) {
	key := h.script.Cache
	w.counts["cached"]++
	entry, err := w.e.CacheEntry(w.ctx, key)
	if err == nil && entry.Live(w.now) && !h.script.Refresh {
		w.broken("body %s begins though the cache has a value under %s", h.script.Label, key)
	}
	w.keeping = slices.DeleteFunc(w.keeping, func(f flight) bool { return !w.flies(f) })
	for _, f := range w.keeping {
		if f.script.Cache == key {
			w.broken("body %s begins beside %s, with the same cache key %s", h.script.Label, f.script.Label, key)
		}
	}
	w.keeping = append(w.keeping, flight{h, w.counts["bodies"]})
}

// forgetCache removes entries at random, or all of a task.
func (w *world) forgetCache() {
	filter := api.CacheFilter{Key: "k" + strconv.Itoa(w.rng.IntN(cacheKeys))}
	if w.rng.IntN(3) == 0 {
		filter = api.CacheFilter{Task: "doC"}
	}
	n, err := w.e.DeleteCache(w.ctx, filter)
	w.did("forget %d cache entries", n)
	if err != nil {
		w.broken("forget cache entries: %v", err)
	}
}

// turnsLeft: once all runs have ended, nobody runs or waits under a key.
func (w *world) turnsLeft() {
	if n := w.e.Turns(); n > 0 {
		w.broken("in the end %d task runs have a turn under a cache key, or wait for one", n)
	}
}
