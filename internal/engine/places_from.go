package engine

import (
	"context"
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// chain gives the chain whose keys begin at a base. Row is that of one of its task
// runs, if there is one at hand.
func (p *places) chain(base int64, row *store.TaskRow) (*origin, error) {
	if o := p.origins[base]; o != nil {
		return o, nil
	}
	o, err := p.originOf(base, row)
	if err != nil {
		return nil, err
	}
	if len(p.origins) >= manyOrigins {
		clear(p.origins)
	}
	p.origins[base] = o
	return o, nil
}

func (p *places) originOf(base int64, row *store.TaskRow) (*origin, error) {
	o := &origin{index: -1}
	if base == p.row.Base {
		chain, err := p.e.shapes.of(p.ctx, p.e, p.row)
		o.chain = chain
		return o, err
	}
	b := p.around(base)
	switch {
	case b == nil:
		return o, nil
	case b.First != base: // of the child of a group
		group, err := p.frames.group(p.ctx, b.First)
		if err != nil || group == nil {
			return o, err
		}
		o, _, err = p.child(group, base, nil)
		return o, err
	}
	if err := p.indexOf(o, row); err != nil {
		return nil, err
	}
	key, frame, err := p.whoseIs(b, row)
	switch {
	case err != nil:
		return nil, err
	case key != 0:
		o.caller = p.id(key)
		return o, p.returned(o, key)
	case frame != 0:
		return o, p.called(o, frame)
	}
	return o, nil
}

// indexOf says which child of a group a chain is part of that a task returned.
func (p *places) indexOf(o *origin, row *store.TaskRow) error {
	if row == nil || row.Frame == 0 {
		return nil
	}
	b := p.around(row.Frame)
	if b == nil || b.Frame != b.First || row.Frame == b.First {
		return nil
	}
	group, err := p.frames.group(p.ctx, b.First)
	if err != nil || group == nil {
		return err
	}
	of, _, err := p.child(group, row.Frame, nil)
	o.index = of.index
	return err
}

// returned reads the pipeline that a task run returned.
func (p *places) returned(o *origin, key int64) error {
	var ref []byte
	err := p.e.store.Tasks(p.ctx, p.row.ID, key, key+1, func(row *store.TaskRow) error {
		var cell store.TaskCell
		err := cell.Decode(row.Cell)
		ref = clone(cell.Child)
		return err
	})
	if err != nil || ref == nil {
		return err
	}
	o.chain, err = p.e.shape(p.ctx, ref)
	return err
}

// called reads the pipeline that a flow called.
func (p *places) called(o *origin, frame int64) error {
	if b := p.around(frame); b != nil {
		o.caller = p.id(-b.Frame)
	}
	var cell store.FrameCell
	err := p.e.store.Frames(p.ctx, p.row.ID, frame, frame+1, func(row *store.FrameRow) error {
		return cell.Decode(clone(row.Cell))
	})
	switch {
	case err != nil:
		return err
	case cell.Call.One:
		o.chain = oneTask
	case cell.Plan != nil:
		o.chain, err = p.e.shape(p.ctx, cell.Plan)
	}
	return err
}

// oneTask is the shape of a pipeline that is one task.
var oneTask = &pipeline.Chain{Steps: []pipeline.Step{{Kind: pipeline.TaskStep}}, Slots: 1}

// whoseIs gives the key of the task run that returned the chain with a block, or the
// frame of the flow's call that it is; neither if nothing tells any more.
func (p *places) whoseIs(b *store.Block, row *store.TaskRow) (key, frame int64, err error) {
	base := b.First
	if key := p.callers.of(base); key != 0 {
		return key, 0, nil
	}
	if p.calls == nil && p.asked < askedSingly && row != nil {
		p.asked++
		key, frame, err := p.hinted(base, row.Frame)
		if key != 0 || frame != 0 || err != nil {
			return key, frame, err
		}
	}
	if err := p.near(b); err != nil {
		return 0, 0, err
	}
	if key := p.callers.of(base); key != 0 {
		return key, 0, nil
	}
	if err := p.readCalls(); err != nil {
		return 0, 0, err
	}
	if frame := p.calls[base]; frame != 0 || p.far {
		return 0, frame, nil
	}
	p.far = true
	p.callers.whole = true
	err = p.ask(0, maxKey)
	return p.callers.of(base), 0, err
}

// hinted looks whether it is the frame of a task run that has called the chain, or
// the task that the frame is known by that returned it.
func (p *places) hinted(base, frame int64) (key, call int64, err error) {
	b := p.around(frame)
	switch {
	case frame == 0 || b == nil:
	case b.Frame < 0:
		err = p.e.store.Frames(p.ctx, p.row.ID, frame, frame+1, func(row *store.FrameRow) error {
			if row.Base == base {
				call = frame
			}
			return nil
		})
	default:
		err = p.ask(frame, frame+1)
		key = p.callers.of(base)
	}
	return key, call, err
}

// nearBlocks is how many blocks before that of a returned chain are asked for the task
// that returned it, and wideBlock how many keys those have that are not.
const (
	nearBlocks = 64
	wideBlock  = 1024
)

// near asks the blocks before one, and those of the run's own steps: whoever returns
// a pipeline mostly began a short while before it does.
func (p *places) near(of *store.Block) error {
	at := p.blockOf(of.Seq)
	for i := at - 1; i >= 0; i-- {
		b := &p.blocks[i]
		if own := b.Frame == 0 || b.Frame == p.row.Base; !own && (at-i > nearBlocks || b.Count > wideBlock) {
			continue
		}
		if err := p.ask(b.First, b.First+b.Count); err != nil {
			return err
		}
		if p.callers.of(of.First) != 0 {
			return nil
		}
	}
	return nil
}

// ask notes which task runs of a range have returned pipelines.
func (p *places) ask(from, to int64) error {
	return p.e.store.Tasks(p.ctx, p.row.ID, from, to, func(row *store.TaskRow) error {
		var cell store.TaskCell
		err := cell.Decode(row.Cell)
		p.callers.note(cell.Next, row.ID)
		return err
	})
}

// readCalls reads which chains flows have called.
func (p *places) readCalls() error {
	if p.calls != nil {
		return nil
	}
	p.calls = make(map[int64]int64)
	for i := range p.blocks {
		b := &p.blocks[i]
		if b.Frame >= 0 {
			continue
		}
		err := p.e.store.Frames(p.ctx, p.row.ID, b.First, b.First+b.Count, func(row *store.FrameRow) error {
			if row.Kind == store.ChainFrame {
				p.calls[row.Base] = row.ID
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// callers remembers who returned the chains that were met last: those that follow
// each other in a list are of the same ones mostly.
type callers struct {
	now, before map[int64]int64 // by base
	whole       bool            // keep all
}

const manyCallers = 1 << 15

// note takes note of the chain, if there is one, that a task run returned.
func (c *callers) note(base, key int64) {
	if base == 0 {
		return
	}
	if c.now == nil || len(c.now) >= manyCallers && !c.whole {
		c.before, c.now = c.now, make(map[int64]int64)
	}
	c.now[base] = key
}

func (c *callers) of(base int64) int64 {
	if key := c.now[base]; key != 0 {
		return key
	}
	return c.before[base]
}

// shape reads a pipeline that a record keeps.
func (e *Engine) shape(ctx context.Context, ref []byte) (*pipeline.Chain, error) {
	text, err := e.load(ctx, store.DecodeRef(ref))
	if err != nil {
		return nil, err
	}
	spec, err := api.ParseSpec(text)
	if err != nil {
		return nil, err
	}
	return pipeline.Shape(spec)
}

// shapes remembers the pipelines of the runs that were looked at last.
type shapes struct {
	mu   sync.Mutex
	last []runShape
	size int
}

type runShape struct {
	run   int64
	chain *pipeline.Chain
	size  int
}

// shapesSize is up to how many bytes of JSON pipelines are remembered, and one more.
const shapesSize = 1 << 20

func (s *shapes) of(ctx context.Context, e *Engine, row *store.RunRow) (*pipeline.Chain, error) {
	s.mu.Lock()
	for i := range s.last {
		if s.last[i].run == row.ID {
			defer s.mu.Unlock()
			return s.last[i].chain, nil
		}
	}
	s.mu.Unlock()
	chain, err := e.shape(ctx, row.Plan)
	if err != nil {
		return nil, err
	}
	size := max(len(row.Plan), int(store.DecodeRef(row.Plan).Blob.Size))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.size = append(s.last, runShape{row.ID, chain, size}), s.size+size
	for len(s.last) > 1 && s.size > shapesSize {
		s.size -= s.last[0].size
		s.last = s.last[1:]
	}
	return chain, nil
}
