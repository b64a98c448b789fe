package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"
)

// audit keeps changes in the database: those that come while others are written, with
// the next ones.
type audit struct {
	notes Notes
	log   *slog.Logger
	now   func() time.Time
	busy  sync.WaitGroup

	mu      sync.Mutex
	next    *auditBatch // nil: nothing waits
	writing bool
	closed  bool
	since   int // how many were written since the old ones were removed
}

// auditBatch is what is written at a time.
type auditBatch struct {
	notes []Note
	done  chan struct{}
}

// maxAuditWait is how many changes wait to be written before more are only logged.
const maxAuditWait = 10_000

// keep has a change written, and gives what is closed once it is.
func (l *audit) keep(one *Audited) <-chan struct{} {
	value, err := json.Marshal(one)
	if err != nil { // strings and numbers always encode
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return noAudit
	}
	if l.next == nil {
		l.next = &auditBatch{done: make(chan struct{})}
	}
	b := l.next
	if len(b.notes) < maxAuditWait {
		b.notes = append(b.notes, Note{Kind: one.kind(), Key: one.key(), Value: value})
	}
	if !l.writing {
		l.writing = true
		l.busy.Go(l.write)
	}
	return b.done
}

// close waits until all is written. Of what a request does that is answered later only
// the log tells.
func (l *audit) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.busy.Wait()
}

// noAudit is closed: there is nothing to wait for.
var noAudit = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// settle waits until what was asked for before is written.
func (l *audit) settle(ctx context.Context) {
	l.mu.Lock()
	for l.writing {
		if l.next == nil {
			l.next = &auditBatch{done: make(chan struct{})} // ends after the one that is being written
		}
		done := l.next.done
		l.mu.Unlock()
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		}
	}
	l.mu.Unlock()
}

// auditEvery is after how many changes the old ones are looked for.
const auditEvery = 1000

func (l *audit) write() {
	ctx := context.Background() //nolint:forbidigo // a change is noted though whoever made it is gone
	for {
		l.mu.Lock()
		b := l.next
		l.next = nil
		if b == nil {
			l.writing = false
			l.mu.Unlock()
			return
		}
		l.since += len(b.notes)
		old := l.since >= auditEvery
		if old {
			l.since = 0
		}
		l.mu.Unlock()
		if len(b.notes) > 0 {
			if err := l.notes.PutNotes(ctx, b.notes...); err != nil {
				l.log.Error("http: the audit could not be kept; the log has it", "changes", len(b.notes), "error", err)
			}
		}
		close(b.done)
		if old {
			l.clean(ctx)
		}
	}
}

// clean removes what is too old, and what is too much.
func (l *audit) clean(ctx context.Context) {
	oldest := newestFirst(l.now().Add(-auditAge))
	for kind, most := range map[string]int{auditKind: keptAudit, unknownKind: keptUnknown} {
		if err := cleanNotes(ctx, l.notes, kind, most, oldest); err != nil {
			l.log.Warn("http: old audit stays for now", "error", err)
		}
	}
}

// cleanNotes removes of what is kept newest first all beyond so many, and all beyond a
// key.
func cleanNotes(ctx context.Context, notes Notes, kind string, most int, oldest string) error {
	var gone []Note
	n := 0
	err := notes.Notes(ctx, kind, "", func(key string, _ []byte) error {
		if n++; n > most || key > oldest {
			gone = append(gone, Note{Kind: kind, Key: key})
		}
		return nil
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	return notes.PutNotes(ctx, gone...)
}
