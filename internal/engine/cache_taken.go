package engine

import (
	"maps"
	"sync"
	"time"
)

// CacheTaken counts what task runs of a name had from the cache since the engine was
// opened.
type CacheTaken struct {
	Hits   int64 // took a result
	Misses int64 // completed by their bodies
	Saved  time.Duration
}

// cacheTaken counts by task.
type cacheTaken struct {
	mu     sync.Mutex
	byTask map[string]CacheTaken
}

func (c *cacheTaken) hit(task string, saved time.Duration) {
	c.add(task, CacheTaken{Hits: 1, Saved: saved})
}

func (c *cacheTaken) miss(task string) { c.add(task, CacheTaken{Misses: 1}) }

func (c *cacheTaken) add(task string, more CacheTaken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byTask == nil {
		c.byTask = map[string]CacheTaken{}
	}
	t := c.byTask[task]
	t.Hits += more.Hits
	t.Misses += more.Misses
	t.Saved += more.Saved
	c.byTask[task] = t
}

// CacheTaken gives the counts by task, and since when they are counted.
func (e *Engine) CacheTaken() (byTask map[string]CacheTaken, since time.Time) {
	c := &e.cache.taken
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.byTask), e.since
}

// Now is the engine's time.
func (e *Engine) Now() time.Time { return e.now() }
