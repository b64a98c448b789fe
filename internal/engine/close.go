package engine

import (
	"context"
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// closers puts the results of ended groups together. Small ones are done at
// once by whoever saw them end; others beside.
type closers struct {
	ctx    context.Context //nolint:containedctx // it ends with the engine, not with a call
	cancel context.CancelFunc
	mu     sync.Mutex
	todo   []*group // Manual: for CloseStep
	work   sync.WaitGroup
}

func (c *closers) init() {
	c.ctx, c.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // lives as long as the engine
}

func (c *closers) stop() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.work.Wait()
}

// begin does work beside. Once the engine closes nobody waits for it any more: it
// finds ctx ended, and does no more than say so.
func (c *closers) begin(work func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		go work()
		return
	}
	c.work.Go(work)
}

// groupClosed goes on from a group whose last child has durably ended.
func (e *Engine) groupClosed(ref store.FrameRef) {
	e.mu.Lock()
	r := e.runs[ref.Run]
	e.mu.Unlock()
	if r == nil {
		return
	}
	r.mu.Lock()
	g := r.groups[ref.Frame]
	kept := g != nil && g.kept != nil
	r.mu.Unlock()
	switch {
	case g == nil:
	case e.manual:
		e.closers.mu.Lock()
		e.closers.todo = append(e.closers.todo, g)
		e.closers.mu.Unlock()
	case kept:
		e.closeGroup(g)
	default:
		e.closers.begin(func() { e.closeGroup(g) })
	}
}

// CloseStep puts one ended group together and reports whether there was one.
func (e *Engine) CloseStep() bool {
	e.closers.mu.Lock()
	if len(e.closers.todo) == 0 {
		e.closers.mu.Unlock()
		return false
	}
	g := e.closers.todo[0]
	e.closers.todo = e.closers.todo[1:]
	e.closers.mu.Unlock()
	e.closeGroup(g)
	return true
}

// closeGroup gathers what the children of g left and goes on above it.
func (e *Engine) closeGroup(g *group) {
	var out pipeline.Outcome
	var state pipeline.State
	g.run.mu.Lock()
	kept := g.kept
	g.run.mu.Unlock()
	err := e.patiently(func() (err error) {
		out, state, err = e.gather(e.closers.ctx, g, kept)
		return err
	})
	if e.closers.ctx.Err() != nil {
		return // the next engine does it
	}
	if err != nil {
		out, state = failed(systemFailure(err)), g.frame.State
	}
	if err := g.list.done(); err != nil {
		e.log.Warn("close a list", "error", err)
	}
	r := g.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups[g.frame.ID] != g {
		return
	}
	c := r.newChange()
	if f := g.frame.Parent; f.Cancelled && g.frame.Cancelled {
		out = pipeline.Outcome{Status: pipeline.Cancelled}
	}
	r.apply(c, pipeline.GroupEnded(nil, g.frame, out, state))
	e.queue.push(c)
}

// gatherChunk is for how many children outcomes are held at a time.
const gatherChunk = 4096

// childEnd is how a child of a group ended.
type childEnd struct {
	known     bool
	value     store.Payload
	failure   []byte
	cancelled bool
	state     pipeline.State
}

// gather puts the outcomes of a group's children together, in order: from
// memory while they are few (kept), else from their rows, a stretch at a time.
func (e *Engine) gather(ctx context.Context, g *group, kept *kept) (pipeline.Outcome, pipeline.State, error) {
	a := &assembly{settle: g.frame.Group.Settle && g.trip == nil, out: e.newSpill(ctx, g.run.id), load: e.store.OpenBlob}
	defer a.out.abort()
	a.begin()
	merged := merger{start: g.frame.State}
	for from := 0; from < g.count; from += gatherChunk {
		to := min(from+gatherChunk, g.count)
		var ends []childEnd
		var err error
		if kept != nil {
			ends = kept.ends(g, from, to)
		} else if ends, err = e.readEnds(ctx, g, from, to); err != nil {
			return pipeline.Outcome{}, pipeline.State{}, err
		}
		for i := range ends {
			if err := a.add(ctx, &ends[i]); err != nil {
				return pipeline.Outcome{}, pipeline.State{}, err
			}
			merged.add(&ends[i])
		}
	}
	state, err := merged.result()
	if err != nil {
		return pipeline.Outcome{}, pipeline.State{}, err
	}
	if g.trip != nil {
		return failed(g.trip.Failure(a.counts(), a.causes)), state, nil
	}
	if a.failed > 0 && !a.settle {
		f := pipeline.GroupFailure(a.causes, a.failed, g.count)
		return pipeline.Outcome{Status: pipeline.Failed, Failure: f}, state, nil
	}
	v, err := a.finish()
	return pipeline.Outcome{Value: v}, state, err
}

// ends gives outcomes that are held in memory.
func (k *kept) ends(g *group, from, to int) []childEnd {
	ends := make([]childEnd, to-from)
	for i := from; i < to; i++ {
		end := &ends[i-from]
		if out, ok := g.frame.Group.Child(i).Immediate(g.frame.In); ok {
			*end = childEnd{known: true, value: payload(out.Value), state: g.frame.State}
			continue
		}
		if !g.done.has(i) {
			continue
		}
		*end = childEnd{known: true, value: payload(k.values[i]), cancelled: k.cancelled[i], state: k.states[i]}
		if f := k.failures[i]; f != nil {
			end.value, end.failure = store.Payload{}, encodeFailure(f)
		}
	}
	return ends
}

// readEnds reads outcomes from rows: of a child that is one task its own row,
// unless that returned a pipeline; of others that of their frame.
func (e *Engine) readEnds(ctx context.Context, g *group, from, to int) ([]childEnd, error) {
	ends := make([]childEnd, to-from)
	group := g.frame.Group
	for i := from; i < to; i++ {
		if out, ok := group.Child(i).Immediate(g.frame.In); ok {
			ends[i-from] = childEnd{known: true, value: payload(out.Value), state: g.frame.State}
		}
	}
	first, last := g.base+group.Offset(from), g.base+group.Offset(to-1)+1
	err := e.store.Tasks(ctx, g.run.id, first, last, func(row *store.TaskRow) error {
		i := group.ChildAt(row.ID-g.base) - from
		if !group.Child(i+from).Single() || !row.State.Final() {
			return nil
		}
		return ends[i].fromTask(row, g.frame.State, group.Child(i + from).Steps[0].Task.NoResult)
	})
	if err != nil {
		return nil, err
	}
	err = e.store.Frames(ctx, g.run.id, first, last, func(row *store.FrameRow) error {
		if row.Kind != store.ChainFrame || row.State != store.FrameDone {
			return nil
		}
		i := group.ChildAt(row.ID - g.base)
		if row.ID != g.base+group.Offset(i) {
			return nil // a chain within a child
		}
		c := group.Child(i)
		return ends[i-from].fromFrame(row, c.Single() && c.Steps[0].Task.NoResult)
	})
	return ends, err
}

func (end *childEnd) fromTask(row *store.TaskRow, state pipeline.State, noResult bool) error {
	var cell store.TaskCell
	if err := cell.Decode(row.Cell); err != nil {
		return err
	}
	if cell.Child != nil && row.State == api.Completed {
		return nil // its frame says how that ended
	}
	*end = childEnd{
		known: true, value: clonePayload(cell.Result), failure: clone(cell.Seldom().Failure),
		cancelled: row.State == api.Cancelled, state: state,
	}
	if noResult {
		end.value = store.Payload{}
	}
	if cell.SetState {
		end.state = pipeline.State{Data: clone(cell.State), Merge: cell.Merge, Set: true}
	}
	return nil
}

func (end *childEnd) fromFrame(row *store.FrameRow, noResult bool) error {
	var cell store.FrameCell
	if err := cell.Decode(row.Cell); err != nil {
		return err
	}
	*end = childEnd{
		known: true, value: clonePayload(cell.Result), failure: clone(cell.Failure), cancelled: cell.Cancelled,
		state: pipeline.State{Data: clone(cell.State), Merge: cell.Merge, Set: cell.State != nil},
	}
	if noResult {
		end.value = store.Payload{}
	}
	return nil
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func clonePayload(p store.Payload) store.Payload {
	p.Data = clone(p.Data)
	return p
}
