package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Kinds of notes: operations by id, the newest first, and what those that run are done
// to, so many ids in a note.
const (
	operationKind = "operation"
	itemsKind     = "operation-items"
	itemsInNote   = 1000
)

// keptOperation is an operation as it is kept. Below Next all is done and counted;
// below Ahead something may be done and not be counted.
type keptOperation struct {
	Operation

	Owner string    `json:"owner,omitempty"` // who does it; "": nobody
	Seen  time.Time `json:"seen,omitzero"`   // when the owner said so last
	Halt  bool      `json:"halt,omitempty"`  // it is to be stopped
	Next  int       `json:"next"`
	Ahead int       `json:"ahead"`
}

// stale is how long after its owner was seen last an operation is anybody's.
const stale = 10 * time.Second

// free reports whether whoever wants may go on with it.
func (k *keptOperation) free(now time.Time) bool {
	return k.State == operationRunning && (k.Owner == "" || now.Sub(k.Seen) > stale)
}

func (k *keptOperation) encode() ([]byte, error) {
	c := *k
	c.Errors = slices.Clone(k.Errors)
	return json.Marshal(&c)
}

// each calls yield for the operations that are kept, newest first, with what they are
// kept as.
func (o *operations) each(ctx context.Context, from string, yield func(kept *keptOperation, was []byte) error) error {
	err := o.notes.Notes(ctx, operationKind, from, func(_ string, value []byte) error {
		was := slices.Clone(value)
		kept := new(keptOperation)
		if err := json.Unmarshal(was, kept); err != nil {
			return err
		}
		return yield(kept, was)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// find reads one.
func (o *operations) find(ctx context.Context, id string) (found *keptOperation, was []byte, err error) {
	err = o.each(ctx, id, func(kept *keptOperation, w []byte) error {
		if kept.ID == id {
			found, was = kept, w
		}
		return errEnough
	})
	if err == nil && found == nil {
		err = api.Errorf(api.ErrNotFound, "", "there is no operation %s, or it is too old to be kept", id)
	}
	return found, was, err
}

func itemsKey(id string, n int) string { return fmt.Sprintf("%s.%06d", id, n) }

// itemsNotes are the notes with what an operation is done to.
func itemsNotes(id string, ids []string) (notes []Note, err error) {
	for n := 0; n*itemsInNote < len(ids); n++ {
		value, err := json.Marshal(ids[n*itemsInNote : min((n+1)*itemsInNote, len(ids))])
		if err != nil {
			return nil, err
		}
		notes = append(notes, Note{Kind: itemsKind, Key: itemsKey(id, n), Value: value})
	}
	return notes, nil
}

// items reads what an operation is done to.
func (o *operations) items(ctx context.Context, kept *keptOperation) ([]string, error) {
	ids := make([]string, 0, kept.Total)
	last := itemsKey(kept.ID, (kept.Total+itemsInNote-1)/itemsInNote)
	err := o.notes.Notes(ctx, itemsKind, itemsKey(kept.ID, 0), func(key string, value []byte) error {
		if key >= last {
			return errEnough
		}
		var some []string
		err := json.Unmarshal(value, &some)
		ids = append(ids, some...)
		return err
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if len(ids) != kept.Total {
		return nil, api.Errorf(api.ErrStore, "", "operation %s is done to %d, and %d of them are kept", kept.ID, kept.Total, len(ids))
	}
	return ids, nil
}

// running counts the operations that have not ended. Only of those it is kept what they
// are done to, so that of all others nothing is read.
func (o *operations) running(ctx context.Context) (n int, err error) {
	for next, more := "", true; more; {
		more = false
		err := o.notes.Notes(ctx, itemsKind, next, func(key string, _ []byte) error {
			id, _, _ := strings.Cut(key, ".")
			n, next, more = n+1, id+"/", true // which comes after all keys of that one
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return 0, err
		}
	}
	return n, nil
}

// withoutItems are the notes that remove them.
func (k *keptOperation) withoutItems() (notes []Note) {
	for n := 0; n*itemsInNote < k.Total; n++ {
		notes = append(notes, Note{Kind: itemsKind, Key: itemsKey(k.ID, n)})
	}
	return notes
}

// clean removes old operations.
func (o *operations) clean(ctx context.Context) error {
	return cleanNotes(ctx, o.notes, operationKind, keptOperations, newestFirst(o.now().Add(-operationAge)))
}
