package runnel

import (
	"context"
	"iter"

	"github.com/runnel-dev/runnel/api"
)

// Cache is the results that tasks with a [CacheKey] left. An entry has its own
// copy of the value: it stays when its run is removed, and goes when it has
// expired or is deleted. Get it with [Engine.Cache].
type Cache struct{ eng *Engine }

// Cache gives the cached results.
func (e *Engine) Cache() Cache { return Cache{e} }

// Read gives the entry under a key with its value, or [ErrNotFound].
func (c Cache) Read(ctx context.Context, key string) (api.CacheEntry, error) {
	return c.eng.service().CacheEntry(ctx, key)
}

// List gives the entries that the filter chooses, ordered by key, without their
// values. It looks at all entries, unless the filter names a key or a prefix.
func (c Cache) List(ctx context.Context, filter api.CacheFilter) iter.Seq2[api.CacheEntry, error] {
	return c.eng.service().CacheEntries(ctx, filter)
}

// Delete removes the entries that the filter chooses, all of them with the zero
// filter, and says how many.
func (c Cache) Delete(ctx context.Context, filter api.CacheFilter) (int, error) {
	return c.eng.service().DeleteCache(ctx, filter)
}

// Explain says why a task run took a result from the cache, or why its body ran:
// with a key made by [CacheBy], in which parts it differed from the entry of its
// task that is nearest.
func (c Cache) Explain(ctx context.Context, taskRun string) (api.CacheReport, error) {
	return c.eng.service().ExplainCache(ctx, taskRun)
}
