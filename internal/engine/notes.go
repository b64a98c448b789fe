package engine

import (
	"context"
	"errors"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Notes are what the ways in keep beside the runs, such as tokens: under kinds of
// their own, which no other record has.
const noteKind = "note/"

// PutNote keeps a value durably; nil deletes it.
func (e *Engine) PutNote(ctx context.Context, kind, key string, value []byte) error {
	return e.PutNotes(ctx, store.RecordWrite{Kind: kind, Key: key, Value: value})
}

// PutNotes does the same of several, all or none. It fails with api.ErrConflict if one
// of those that are to be checked is not as it was.
func (e *Engine) PutNotes(ctx context.Context, notes ...store.RecordWrite) error {
	if err := e.checkStore(); err != nil {
		return err
	}
	writes := make([]store.RecordWrite, len(notes))
	for i, n := range notes {
		writes[i] = n
		writes[i].Kind = noteKind + n.Kind
	}
	err := e.store.PutRecords(ctx, writes...)
	if errors.Is(err, store.ErrFenced) {
		return api.Errorf(api.ErrConflict, "", "somebody else has changed it meanwhile")
	}
	return err
}

// Notes calls yield for all that is kept under a kind, ordered by key, from a key on.
func (e *Engine) Notes(ctx context.Context, kind, from string, yield func(key string, value []byte) error) error {
	return e.store.Records(ctx, noteKind+kind, from, yield)
}
