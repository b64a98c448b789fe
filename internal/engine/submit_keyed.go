package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Who does not know whether a submission has arrived submits again under the same
// key. The key is a record, written with the run, and fenced: of several who submit
// under one, in whichever process, one makes a run.

// The kinds of the records that hold the keys of submissions, and that tell when
// they go, by time and key.
const (
	submissionKind       = "submission"
	submissionExpiryKind = "submission_expiry"
)

const (
	// maxSubmissionKey is how long a key may be, in bytes.
	maxSubmissionKey = 255
	// submissionKept is for how long a key is known.
	submissionKept = 30 * 24 * time.Hour
)

// submissionRecord is what a key stands for.
type submissionRecord struct {
	Run  string `json:"run"`
	Hash []byte `json:"hash"` // of pipeline and name
	At   int64  `json:"at"`
}

// SubmitKeyed is Submit, once for each key: the run of the first call, whichever
// process that was in, is everybody's. Existed says that it was there before. A call
// with another pipeline, or another name, is an ErrConflict. The key, of up to 255
// bytes, is known for 30 days, or until its run is removed; then it is free again.
//
// If ctx ends the run may come to be; ask again under the key.
func (e *Engine) SubmitKeyed(ctx context.Context, spec *api.Spec, name, key string) (id string, existed bool, err error) {
	if key == "" || len(key) > maxSubmissionKey {
		return "", false, api.Errorf(api.ErrInvalid, "", "the key of a submission has %d bytes: want 1 to %d", len(key), maxSubmissionKey)
	}
	hash, err := hashSubmission(spec, name)
	if err != nil {
		return "", false, err
	}
	if err := e.submitting.enter(ctx, key); err != nil {
		return "", false, err
	}
	s := &keyedSubmission{e: e, key: key, done: make(chan error, 1)}
	defer func() {
		if !s.left {
			e.submitting.leave(key)
		}
	}()
	for {
		was, found, err := e.submission(ctx, key)
		switch {
		case err != nil:
			return "", false, err
		case found != nil && !bytes.Equal(found.Hash, hash):
			return "", false, api.Errorf(api.ErrConflict, "", "key %q belongs to run %s, which was submitted with another pipeline or name: want a key for each", key, found.Run)
		case found != nil:
			return found.Run, true, nil
		case s.fenced != nil && bytes.Equal(was, s.was): // it was not for the key
			return "", false, s.fenced
		}
		s.was = was
		id, err = s.submit(ctx, spec, name, submissionRecord{Hash: hash, At: e.micros()})
		if !errors.Is(err, store.ErrFenced) {
			return id, false, err
		}
		s.fenced = err // another process was faster
	}
}

// keyedSubmission is a call of SubmitKeyed.
type keyedSubmission struct {
	e      *Engine
	key    string
	was    []byte // what the key's record was
	fenced error
	done   chan error
	left   bool // somebody else lets the next one come
}

// submit makes the run with the record.
func (s *keyedSubmission) submit(ctx context.Context, spec *api.Spec, name string, rec submissionRecord) (id string, err error) {
	r, err := s.e.submit(ctx, request{spec: spec, name: name, records: func(id string) ([]store.RecordWrite, error) {
		rec.Run = id
		text, err := json.Marshal(rec)
		return []store.RecordWrite{
			{Kind: submissionKind, Key: s.key, Value: text, Check: true, Was: s.was},
			{Kind: submissionExpiryKind, Key: expiryKey(rec.At+submissionKept.Microseconds(), s.key), Value: []byte{}},
		}, err
	}}, toldOn(s.done))
	if err != nil {
		return "", err
	}
	select {
	case err := <-s.done:
		if err != nil {
			return "", err
		}
		return r.text, nil
	case <-ctx.Done(): // the commit goes on
		s.left = true
		go func() {
			if err := <-s.done; err != nil {
				s.e.log.Warn("a submission that nobody waited for was refused", "key", s.key, "error", err)
			}
			s.e.submitting.leave(s.key)
		}()
		return r.text, context.Cause(ctx)
	}
}

func hashSubmission(spec *api.Spec, name string) ([]byte, error) {
	text, err := spec.AppendJSON(binary.AppendUvarint(nil, uint64(len(name))))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append(text, name...))
	return sum[:], nil
}

// submission reads what a key stands for, nil for nothing, and its record.
func (e *Engine) submission(ctx context.Context, key string) (text []byte, rec *submissionRecord, err error) {
	err = e.store.Records(ctx, submissionKind, key, func(k string, value []byte) error {
		if k == key {
			text = bytes.Clone(value)
		}
		return errStop
	})
	if err = ignoreStop(err); err != nil || text == nil {
		return nil, nil, err
	}
	rec = new(submissionRecord)
	if err := json.Unmarshal(text, rec); err != nil {
		return nil, nil, api.Errorf(api.ErrStore, "", "damaged record of key %q: %w", key, err)
	}
	if rec.At+submissionKept.Microseconds() <= e.micros() {
		return text, nil, nil
	}
	switch _, _, err := e.find(ctx, rec.Run); {
	case errors.Is(err, api.ErrNotFound):
		return text, nil, nil
	case err != nil:
		return nil, nil, err
	}
	return text, rec, nil
}

// expireSubmissions removes some keys that are known for long enough, and reports
// whether there may be more.
func (e *Engine) expireSubmissions(ctx context.Context) (more bool, err error) {
	now := e.micros()
	var writes []store.RecordWrite
	err = e.store.Records(ctx, submissionExpiryKind, "", func(due string, _ []byte) error {
		if len(due) < 16 {
			return api.Errorf(api.ErrStore, "", "damaged time of expiry %q", due)
		}
		micros, err := strconv.ParseInt(due[:16], 16, 64)
		if err != nil || micros > now {
			return errStop
		}
		text, rec, err := e.submission(ctx, due[16:])
		if err != nil {
			return err
		}
		writes = append(writes, store.RecordWrite{Kind: submissionExpiryKind, Key: due})
		if text != nil && rec == nil { // else it was given to another run since
			writes = append(writes, store.RecordWrite{Kind: submissionKind, Key: due[16:], Check: true, Was: text})
		}
		if more = len(writes) >= deletedAtOnce; more {
			return errStop
		}
		return nil
	})
	if err = ignoreStop(err); err != nil || len(writes) == 0 {
		return false, err
	}
	err = e.store.PutRecords(ctx, writes...)
	if errors.Is(err, store.ErrFenced) { // one is used again at this moment
		return true, nil
	}
	return more, err
}

// keyTurns let one at a time do what belongs to a key.
type keyTurns struct {
	mu   sync.Mutex
	keys map[string]chan struct{} // closed when the one who has the turn leaves
}

func (t *keyTurns) enter(ctx context.Context, key string) error {
	for {
		t.mu.Lock()
		busy := t.keys[key]
		if busy == nil {
			if t.keys == nil {
				t.keys = make(map[string]chan struct{})
			}
			t.keys[key] = make(chan struct{})
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (t *keyTurns) leave(key string) {
	t.mu.Lock()
	close(t.keys[key])
	delete(t.keys, key)
	t.mu.Unlock()
}
