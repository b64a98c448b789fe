package staging

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/internal/store"
)

// FoldRecords orders writes by kind and key, and makes one of several to the same
// record: with what the first checks and what the last leaves. Dropped are the
// blobs that came and went in between.
func FoldRecords(writes []store.RecordWrite) (folded []store.RecordWrite, dropped []int64, err error) {
	writes = slices.Clone(writes)
	slices.SortStableFunc(writes, func(a, b store.RecordWrite) int {
		if c := strings.Compare(a.Kind, b.Kind); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	for _, w := range writes {
		if n := len(folded); n > 0 && folded[n-1].Kind == w.Kind && folded[n-1].Key == w.Key {
			last := &folded[n-1]
			if w.Check && !sameValue(last.Value, w.Was) {
				return nil, nil, fmt.Errorf("record %s %q is not as expected: %w", w.Kind, w.Key, store.ErrFenced)
			}
			if last.Value != nil && last.Blob != 0 {
				dropped = append(dropped, last.Blob)
			}
			last.Value, last.Blob = w.Value, w.Blob
			continue
		}
		folded = append(folded, w)
	}
	return folded, dropped, nil
}

// sameValue compares what is kept; nothing is not the same as an empty value.
func sameValue(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
