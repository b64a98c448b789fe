package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// The kinds of the records that hold cache entries, by key, and that tell when
// they expire, by time and key. A time that is not the entry's own any more
// means nothing.
const (
	cacheKind  = "cache"
	expiryKind = "cache_expiry"
)

// cacheEntry is an entry as stored: what is known of it, and its value.
type cacheEntry struct {
	api.CacheEntry

	value store.Payload
}

// cacheHit is a value that a task run takes.
type cacheHit struct {
	entry *cacheEntry
	value pipeline.Value
}

// entryWrites are the records of what task run t leaves under a key.
func (e *Engine) entryWrites(t *task, key string, value store.Payload) []store.RecordWrite {
	now := e.micros()
	entry := cacheEntry{CacheEntry: api.CacheEntry{
		Key: key, Task: t.call.Name, TaskRun: t.first.ID, Created: at(now), Size: int64(len(value.Data)) + value.Blob.Size,
	}, value: value}
	if t.cell.Begun > 0 {
		entry.Took = api.Duration(time.Duration(now-t.cell.Begun) * time.Microsecond)
	}
	var use api.CacheUse
	if json.Unmarshal(t.cell.Seldom().Cache, &use) == nil {
		entry.Parts = use.Parts
	}
	var writes []store.RecordWrite
	if keep := time.Duration(t.call.Options.CacheExpiration); keep != 0 {
		expires := now + keep.Microseconds()
		entry.Expires = at(expires)
		writes = append(writes, store.RecordWrite{Kind: expiryKind, Key: expiryKey(expires, key), Value: []byte{}})
	}
	return append(writes, store.RecordWrite{Kind: cacheKind, Key: key, Value: entry.encode(), Blob: value.Blob.ID})
}

// expiryKey orders by time.
func expiryKey(micros int64, key string) string { return fmt.Sprintf("%016x%s", micros, key) }

// encode gives the length of what is known in JSON, that, and the value. The
// value is not part of the JSON: it would be read and written anew.
func (x *cacheEntry) encode() []byte {
	head, err := json.Marshal(x.CacheEntry)
	if err != nil { // strings, times and numbers always encode
		panic(err)
	}
	b := binary.AppendUvarint(make([]byte, 0, len(head)+len(x.value.Data)+16), uint64(len(head)))
	return (&store.RunCell{Result: x.value}).Append(append(b, head...))
}

func decodeEntry(data []byte) (*cacheEntry, error) {
	n, w := binary.Uvarint(data)
	if w <= 0 || uint64(len(data)-w) < n {
		return nil, api.Errorf(api.ErrStore, "", "damaged cache entry")
	}
	x := new(cacheEntry)
	if err := json.Unmarshal(data[w:w+int(n)], &x.CacheEntry); err != nil {
		return nil, api.Errorf(api.ErrStore, "", "damaged cache entry: %w", err)
	}
	var cell store.RunCell
	if err := cell.Decode(data[w+int(n):]); err != nil {
		return nil, api.Errorf(api.ErrStore, "", "damaged cache entry: %w", err)
	}
	x.value = cell.Result
	return x, nil
}

// readEntry reads the entry under a key, nil if there is none.
func (e *Engine) readEntry(ctx context.Context, key string) (found *cacheEntry, err error) {
	err = e.store.Records(ctx, cacheKind, key, func(k string, value []byte) error {
		if k == key {
			found, err = decodeEntry(value)
		}
		if err != nil {
			return err
		}
		return errStop
	})
	return found, ignoreStop(err)
}

// lookUp gives what t may take from under a key, nil for nothing. What can't be
// read is as good as nothing.
func (e *Engine) lookUp(t *task, key string) *cacheHit {
	if key == "" || t.call.Options.RefreshCache {
		return nil
	}
	entry, err := e.readEntry(e.closers.ctx, key)
	if err == nil && (entry == nil || !entry.Live(e.now())) {
		return nil
	}
	hit := &cacheHit{entry: entry}
	if err == nil {
		hit.value = value(entry.value)
		if entry.value.Blob.ID != 0 { // the run has its own: the entry may go
			var own store.Blob
			own, err = e.copyBlob(e.closers.ctx, entry.value.Blob, t.run.id)
			hit.value = pipeline.Value{Blob: own.ID, Size: own.Size}
		}
	}
	if err != nil {
		if e.closers.ctx.Err() == nil {
			e.log.Warn("a cache entry can't be read; the task runs", "task", t.call.Name, "key", key, "error", err)
		}
		return nil
	}
	return hit
}

// CacheEntry gives the entry under a key, with its value.
func (e *Engine) CacheEntry(ctx context.Context, key string) (api.CacheEntry, error) {
	x, err := e.readEntry(ctx, key)
	if err == nil && x == nil {
		err = api.Errorf(api.ErrNotFound, "", "no cache entry %q", key)
	}
	if err != nil {
		return api.CacheEntry{}, err
	}
	out := x.CacheEntry
	out.Result, err = e.load(ctx, x.value)
	return out, err
}

// CacheEntries lists what the filter chooses, by key.
func (e *Engine) CacheEntries(ctx context.Context, filter api.CacheFilter) iter.Seq2[api.CacheEntry, error] {
	return func(yield func(api.CacheEntry, error) bool) {
		left := filter.Limit
		from := max(filter.Prefix, filter.Key)
		err := e.store.Records(ctx, cacheKind, from, func(key string, data []byte) error {
			x, err := decodeEntry(data)
			switch {
			case err != nil:
				return err
			case filter.Key != "" && key != filter.Key || len(key) < len(filter.Prefix) || key[:len(filter.Prefix)] != filter.Prefix:
				return errStop
			case !filter.Chooses(&x.CacheEntry):
				return nil
			}
			if left--; !yield(x.CacheEntry, nil) || left == 0 {
				return errStop
			}
			return nil
		})
		if err = ignoreStop(err); err != nil {
			yield(api.CacheEntry{}, err)
		}
	}
}

// deletedAtOnce is how many entries one write removes.
const deletedAtOnce = 200

// DeleteCache removes the entries that the filter chooses, and says how many.
func (e *Engine) DeleteCache(ctx context.Context, filter api.CacheFilter) (n int, err error) {
	if e.isClosed() {
		return 0, api.ErrClosed
	}
	var writes []store.RecordWrite
	flush := func() error {
		if len(writes) == 0 {
			return nil
		}
		err := e.store.PutRecords(ctx, writes...)
		writes = writes[:0]
		return err
	}
	for entry, err := range e.CacheEntries(ctx, filter) {
		if err != nil {
			return n, err
		}
		writes = append(writes, store.RecordWrite{Kind: cacheKind, Key: entry.Key})
		if !entry.Expires.IsZero() {
			writes = append(writes, store.RecordWrite{Kind: expiryKind, Key: expiryKey(entry.Expires.UnixMicro(), entry.Key)})
		}
		n++
		if len(writes) >= deletedAtOnce {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	return n, flush()
}

// expireEntries removes some entries that have expired, and reports whether
// there may be more.
func (e *Engine) expireEntries(ctx context.Context) (more bool, err error) {
	now := e.micros()
	var writes []store.RecordWrite
	err = e.store.Records(ctx, expiryKind, "", func(due string, _ []byte) error {
		if len(due) < 16 {
			return api.Errorf(api.ErrStore, "", "damaged time of expiry %q", due)
		}
		micros, err := strconv.ParseInt(due[:16], 16, 64)
		if err != nil || micros > now {
			return errStop
		}
		writes = append(writes, store.RecordWrite{Kind: expiryKind, Key: due})
		entry, err := e.readEntry(ctx, due[16:])
		if err != nil {
			return err
		}
		if entry != nil && entry.Expires.UnixMicro() == micros {
			writes = append(writes, store.RecordWrite{Kind: cacheKind, Key: entry.Key})
		}
		if more = len(writes) >= deletedAtOnce; more {
			return errStop
		}
		return nil
	})
	if err = ignoreStop(err); err != nil || len(writes) == 0 {
		return false, err
	}
	return more, e.store.PutRecords(ctx, writes...)
}

func ignoreStop(err error) error {
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}
