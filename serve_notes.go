package runnel

import (
	"context"

	"github.com/runnel-dev/runnel/internal/httpapi"
	"github.com/runnel-dev/runnel/internal/store"
)

// notes keeps what handlers keep in the database.
type notes struct{ e *Engine }

func (n notes) Notes(ctx context.Context, kind, from string, yield func(key string, value []byte) error) error {
	return n.e.inner().Notes(ctx, kind, from, yield)
}

func (n notes) PutNotes(ctx context.Context, notes ...httpapi.Note) error {
	writes := make([]store.RecordWrite, len(notes))
	for i, one := range notes {
		writes[i] = store.RecordWrite{Kind: one.Kind, Key: one.Key, Value: one.Value, Check: one.Check, Was: one.Was}
	}
	return n.e.inner().PutNotes(ctx, writes...)
}
