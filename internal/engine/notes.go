package engine

import (
	"context"

	"github.com/runnel-dev/runnel/internal/store"
)

// Notes are what the ways in keep beside the runs, such as tokens: under kinds of
// their own, which no other record has.
const noteKind = "note/"

// PutNote keeps a value durably; nil deletes it.
func (e *Engine) PutNote(ctx context.Context, kind, key string, value []byte) error {
	if err := e.checkStore(); err != nil {
		return err
	}
	return e.store.PutRecords(ctx, store.RecordWrite{Kind: noteKind + kind, Key: key, Value: value})
}

// Notes calls yield for all that is kept under a kind, ordered by key.
func (e *Engine) Notes(ctx context.Context, kind string, yield func(key string, value []byte) error) error {
	return e.store.Records(ctx, noteKind+kind, "", yield)
}
