package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// operations does them. They are kept, with what they are done to and how far they have
// got: when a server ends, whoever comes next goes on, be it another process that
// shares the database. What was in progress then may be done twice, which changes
// nothing but of a retry: its run may have ended again.
type operations struct {
	svc   func() Service
	notes Notes
	log   *slog.Logger
	now   func() time.Time
	ctx   context.Context //nolint:containedctx // ends with the handler
	self  string
	busy  sync.WaitGroup

	mu   sync.Mutex
	mine map[string]*operation
}

// operation is one that is done here.
type operation struct {
	o     *operations
	items []string
	stop  context.CancelFunc

	saving sync.Mutex // held from what is to be kept to that being kept

	mu     sync.Mutex
	kept   keptOperation
	was    []byte // what it is kept as
	lost   bool   // somebody else does it
	unsure int    // below that an item may have been done by who had it before
}

func newOperations(ctx context.Context, a *routes) *operations {
	return &operations{
		svc: a.svc, notes: a.opts.Notes, log: a.log, now: a.now, ctx: ctx, self: rand.Text(), mine: make(map[string]*operation),
	}
}

// wait waits for those that are under way to be given up, once the context has ended.
func (o *operations) wait() {
	o.mu.Lock()   // whoever starts one after this sees that the context has ended
	o.mu.Unlock() //nolint:staticcheck // nothing is to be guarded
	o.busy.Wait()
}

func (o *operations) start(ctx context.Context, facts Operation, ids []string) error {
	kept := keptOperation{Operation: facts, Owner: o.self, Seen: o.now().UTC()}
	notes, err := itemsNotes(facts.ID, ids)
	if err != nil {
		return err
	}
	value, err := kept.encode()
	if err != nil {
		return err
	}
	if err := o.notes.PutNotes(ctx, append(notes, Note{Kind: operationKind, Key: facts.ID, Value: value})...); err != nil {
		return err
	}
	if err := o.clean(ctx); err != nil {
		o.log.Warn("http: old operations stay for now", "error", err)
	}
	if err := o.begin(&kept, value, slices.Clone(ids)); err != nil { // whoever comes next does it
		o.log.Info("http: an operation is left to the next server", "id", kept.ID, "error", err)
	}
	return nil
}

// begin does an operation that is this handler's.
func (o *operations) begin(kept *keptOperation, was []byte, ids []string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx.Err() != nil {
		return api.Errorf(api.ErrClosed, "", "the server is closing")
	}
	ctx, stop := context.WithCancel(o.ctx)
	one := &operation{o: o, items: ids, stop: stop, kept: *kept, was: was, unsure: kept.Ahead}
	o.mine[kept.ID] = one
	o.busy.Go(func() {
		defer stop()
		one.run(ctx)
		o.mu.Lock()
		delete(o.mine, kept.ID)
		o.mu.Unlock()
	})
	return nil
}

// facts are how far one has got, which of one that is done here is known best.
func (o *operations) facts(kept *keptOperation) Operation {
	o.mu.Lock()
	one := o.mine[kept.ID]
	o.mu.Unlock()
	if one == nil {
		return kept.Operation
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	facts := one.kept.Operation
	facts.Errors = slices.Clone(facts.Errors)
	return facts
}

// Of an operation so many are done between two times at which that is kept, which is
// also done so often.
const (
	operationBatch = 64
	operationBeat  = 2 * time.Second
)

func (one *operation) run(ctx context.Context) {
	act := actions[one.kept.Target][one.kept.Action]
	beats := sync.WaitGroup{}
	beats.Go(func() { one.beat(ctx) })
	for i := one.kept.Next; i < len(one.items) && ctx.Err() == nil && act != nil; i++ {
		if i == one.kept.Ahead && !one.save(ctx, func(k *keptOperation) { k.Ahead = min(i+operationBatch, len(one.items)) }) {
			break
		}
		err := act(one.o.svc(), ctx, one.items[i])
		if ctx.Err() != nil && err != nil {
			break // it may not have been done
		}
		one.did(i, err)
	}
	one.stop()
	beats.Wait()
	one.end()
}

// beat says now and then that the operation is being done.
func (one *operation) beat(ctx context.Context) {
	tick := time.NewTicker(operationBeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			one.save(ctx, func(*keptOperation) {})
		}
	}
}

// did notes what became of item i.
func (one *operation) did(i int, err error) {
	one.mu.Lock()
	defer one.mu.Unlock()
	k := &one.kept
	k.Next = i + 1
	if i < one.unsure && (errors.Is(err, api.ErrConflict) || errors.Is(err, api.ErrNotFound)) {
		err = nil // it was done before
	}
	if err == nil {
		k.Done++
		return
	}
	k.Failed++
	if len(k.Errors) < maxErrors {
		k.Errors = append(k.Errors, failureOf(one.items[i], err))
	}
}

// save keeps how far it has got, with a change, and reports whether to go on.
func (one *operation) save(ctx context.Context, change func(*keptOperation), more ...Note) bool {
	one.saving.Lock()
	defer one.saving.Unlock()
	one.mu.Lock()
	change(&one.kept)
	one.kept.Seen = one.o.now().UTC()
	value, err := one.kept.encode()
	was := one.was
	one.mu.Unlock()
	if err == nil {
		err = one.o.notes.PutNotes(ctx, append(more, Note{Kind: operationKind, Key: one.kept.ID, Value: value, Check: true, Was: was})...)
	}
	if err == nil {
		one.mu.Lock()
		one.was = value
		one.mu.Unlock()
		return true
	}
	if errors.Is(err, api.ErrConflict) {
		one.overruled(ctx)
		return false
	}
	if ctx.Err() == nil {
		one.o.log.Warn("http: how far an operation is can't be kept", "id", one.kept.ID, "error", err)
	}
	return ctx.Err() == nil
}

// overruled sees what somebody else has made of it: it is to be stopped, or is theirs.
func (one *operation) overruled(ctx context.Context) {
	kept, was, err := one.o.find(ctx, one.kept.ID)
	one.mu.Lock()
	defer one.mu.Unlock()
	if err == nil && kept.Owner == one.o.self {
		one.was, one.kept.Halt = was, kept.Halt
	} else {
		one.lost = true
	}
	one.stop()
}

// end keeps how it ended, or gives it up for whoever comes next.
func (one *operation) end() {
	ctx := context.WithoutCancel(one.o.ctx)
	one.mu.Lock()
	k := &one.kept
	lost, whole := one.lost, k.Done+k.Failed == k.Total
	closing := one.o.ctx.Err() != nil && !k.Halt && !whole
	one.mu.Unlock()
	switch {
	case lost:
		return
	case closing:
		one.save(ctx, func(k *keptOperation) { k.Owner = "" })
		return
	}
	ended := one.o.now().UTC()
	one.save(ctx, func(k *keptOperation) {
		k.State, k.Finished, k.Owner = operationDone, ended, ""
		if !whole {
			k.State = operationStopped
		}
	}, k.withoutItems()...)
	one.o.log.Info("http: operation ended", "id", k.ID, "target", k.Target, "action", k.Action, "state", k.State,
		"done", k.Done, "failed", k.Failed, "who", k.Who, "reason", k.Reason)
}

// halt stops an operation, wherever it is done.
func (o *operations) halt(ctx context.Context, id string) error {
	o.mu.Lock()
	one := o.mine[id]
	o.mu.Unlock()
	if one != nil {
		one.mu.Lock()
		one.kept.Halt = true
		one.mu.Unlock()
		one.stop()
		return nil
	}
	for {
		kept, was, err := o.find(ctx, id)
		if err != nil || kept.State != operationRunning {
			return err
		}
		kept.Halt = true
		var more []Note
		if kept.free(o.now()) {
			kept.State, kept.Owner, kept.Finished = operationStopped, "", o.now().UTC()
			more = kept.withoutItems()
		}
		value, err := kept.encode()
		if err != nil {
			return err
		}
		err = o.notes.PutNotes(ctx, append(more, Note{Kind: operationKind, Key: id, Value: value, Check: true, Was: was})...)
		if !errors.Is(err, api.ErrConflict) {
			return err
		}
	}
}
