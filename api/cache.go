package api

import (
	"encoding/json"
	"time"
)

// MaxCacheKey is how long a cache key may be, in bytes. The bound is Prefect's.
const MaxCacheKey = 2000

// CachePart is a named part of what a cache key is made of: a value, or a hash
// of a long one.
type CachePart struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// CacheUse is what a task run had to do with the cache.
type CacheUse struct {
	Key   string      `json:"key"`
	Parts []CachePart `json:"parts,omitempty"` // none if a function made the key
	// From is the task run whose result was taken; "" if the body ran.
	From string `json:"from,omitempty"`
}

// CacheEntry is a result that is kept under a key.
type CacheEntry struct {
	Key     string    `json:"key"`
	Task    string    `json:"task"`
	TaskRun string    `json:"task_run"` // that made it
	Created time.Time `json:"created"`
	// Expires is when it is no longer taken; zero for never.
	Expires time.Time   `json:"expires,omitzero"`
	Parts   []CachePart `json:"parts,omitempty"`
	// Took is how long the body took that made it, from the beginning of its last
	// attempt to its end; 0 if that is not known.
	Took Duration `json:"took,omitzero"`
	// Size is the result's, in bytes of JSON. Result is given by Read only.
	Size   int64           `json:"size"`
	Result json.RawMessage `json:"result,omitempty"`
}

// Live reports whether the entry is taken at a time.
func (e *CacheEntry) Live(now time.Time) bool { return e.Expires.IsZero() || now.Before(e.Expires) }

// CacheFilter chooses cache entries; the zero value chooses all.
type CacheFilter struct {
	Key    string // exact; "" for any
	Prefix string // of the key
	Task   string // exact; "" for any
	Before time.Time
	Limit  int // 0: no limit
}

// Chooses reports whether the filter, but for its limit, chooses an entry.
func (f *CacheFilter) Chooses(e *CacheEntry) bool {
	return (f.Key == "" || f.Key == e.Key) && (f.Task == "" || f.Task == e.Task) &&
		(len(e.Key) >= len(f.Prefix) && e.Key[:len(f.Prefix)] == f.Prefix) &&
		(f.Before.IsZero() || e.Created.Before(f.Before))
}

// CacheReport says why a task run took a result from the cache, or why not.
type CacheReport struct {
	CacheUse

	// Why is one sentence.
	Why string `json:"why"`
	// Nearest is the entry of the task with the fewest parts that differ; nil if
	// there is none, or the key has no parts.
	Nearest *CacheEntry `json:"nearest,omitempty"`
	Differs []CacheDiff `json:"differs,omitempty"` // from Nearest
}

// CacheDiff is a part of a key in which a task run differs from an entry.
type CacheDiff struct {
	Name  string `json:"name"`
	Run   string `json:"run"`
	Entry string `json:"entry"`
}
