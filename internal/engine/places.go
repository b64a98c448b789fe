package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// places tells of the task runs of one run where they come from: the step of a
// pipeline, and who called or returned that. Nothing of it is stored: it follows from
// the key of a task run, the block that the key is in, and the pipelines that are
// kept, with the run, with the task run that returned one, with a flow's call.
type places struct {
	e       *Engine
	ctx     context.Context //nolint:containedctx // lives for one list
	row     *store.RunRow
	run     string
	blocks  []store.Block
	frames  frames
	origins map[int64]*origin // by the base of their keys
	callers callers
	byKey   []int           // blocks by their first key
	nth     []int           // of each block, which one of its chain it is
	asked   int             // frames that were read one by one
	calls   map[int64]int64 // frames of chains that flows called, by base; nil: not read
	far     bool            // all rows have been asked who returned what
}

// origin is a chain that takes its keys from a base.
type origin struct {
	chain  *pipeline.Chain // nil: not known
	path   string          // what stands before the places of its steps
	caller string          // id of the task run; "": the run's own
	index  int             // of the child of a group that it is, or part of; -1 for none
	paths  []string        // by slot, once there is reason to have them
}

// manyOrigins is how many chains are remembered.
const manyOrigins = 1024

func (e *Engine) placesOf(ctx context.Context, row *store.RunRow, blocks []store.Block) *places {
	return &places{
		e: e, ctx: ctx, row: row, run: uuid.UUID(row.UID).String(), blocks: blocks,
		frames: frames{e: e, run: row.ID}, origins: make(map[int64]*origin),
	}
}

// blockOf gives the number of the block that has a task run's number; -1 for none.
func (p *places) blockOf(seq int64) int {
	i, found := slices.BinarySearchFunc(p.blocks, seq, func(b store.Block, seq int64) int { return cmp.Compare(b.Seq, seq) })
	if !found {
		i--
	}
	if i < 0 || seq >= p.blocks[i].Seq+p.blocks[i].Count {
		return -1
	}
	return i
}

// fill says of a task run where it comes from. Row is nil if it has none yet.
func (p *places) fill(out *api.TaskRun, row *store.TaskRow) error {
	i := p.blockOf(out.Seq)
	if i < 0 {
		return nil
	}
	b := &p.blocks[i]
	key := b.First + out.Seq - b.Seq
	if b.Frame < 0 {
		out.Caller, out.Place = p.id(-b.Frame), "steps[0]"
		return nil
	}
	o, slot, err := p.origin(b, key, row)
	if err != nil || o == nil {
		return err
	}
	out.Caller, out.Place = o.caller, o.at(slot)
	if row != nil || o.index >= 0 { // of one in memory the task itself knows it
		out.Index = o.index
	}
	return nil
}

// at gives the place of what has a slot; "" if that is not known.
func (o *origin) at(slot int) string {
	if o.chain == nil {
		return ""
	}
	if o.paths == nil {
		o.paths = make([]string, o.chain.Slots)
	}
	if slot >= len(o.paths) {
		return ""
	}
	if o.paths[slot] == "" {
		path, step := o.chain.AtSlot(slot)
		if step == nil {
			return ""
		}
		o.paths[slot] = o.path + path
	}
	return o.paths[slot]
}

// id gives the id of the task run that has a key, "" if the run has no such key.
func (p *places) id(key int64) string {
	if b := p.around(key); b != nil {
		return p.run + "/" + itoa(b.Seq+key-b.First)
	}
	return ""
}

// around gives the block that a key is in; nil for none.
func (p *places) around(key int64) *store.Block {
	if p.byKey == nil {
		p.byKey = make([]int, len(p.blocks))
		for i := range p.byKey {
			p.byKey[i] = i
		}
		slices.SortFunc(p.byKey, func(a, b int) int { return cmp.Compare(p.blocks[a].First, p.blocks[b].First) })
	}
	i, found := slices.BinarySearchFunc(p.byKey, key, func(i int, key int64) int { return cmp.Compare(p.blocks[i].First, key) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	if b := &p.blocks[p.byKey[i]]; key < b.First+b.Count {
		return b
	}
	return nil
}

// origin gives the chain that a key of a block belongs to, and the slot there.
func (p *places) origin(b *store.Block, key int64, row *store.TaskRow) (o *origin, slot int, err error) {
	base, within := b.Frame, key-b.First
	switch base {
	case 0: // the first block of the run
		base = p.row.Base
	case b.First:
		group, err := p.frames.group(p.ctx, base)
		if err != nil {
			return nil, 0, err
		}
		if group != nil {
			return p.child(group, key, row)
		}
	default:
		within += int64(p.ordinal(b)) * pipeline.BlockSize
	}
	o, err = p.chain(base, row)
	return o, int(within), err
}

// ordinal tells which block of its chain one is: it has those before it whole.
func (p *places) ordinal(of *store.Block) int {
	if p.nth == nil {
		p.nth = make([]int, len(p.blocks))
		count := make(map[int64]int)
		for i := range p.blocks {
			if b := &p.blocks[i]; b.Frame > 0 && b.First != b.Frame {
				count[b.Frame]++
				p.nth[i] = count[b.Frame]
			}
		}
	}
	return p.nth[p.blockOf(of.Seq)]
}

// child gives the chain of the child of a group that a key is of, and the slot
// there.
func (p *places) child(group *store.FrameRow, key int64, row *store.TaskRow) (*origin, int, error) {
	above, path, g, err := p.groupAt(group)
	if err != nil || g == nil {
		o := &origin{index: -1}
		if row != nil && row.Frame == group.ID {
			o.index = int(row.Place)
		}
		if above != nil {
			o.caller = above.caller
		}
		return o, 0, err
	}
	off := key - group.Base
	i := g.ChildAt(off)
	o := &origin{chain: g.Child(i), path: path + g.ChildPath(i), caller: above.caller, index: i}
	return o, int(off - g.Offset(i)), nil
}

// groupAt gives where a group stands, and what it is; nil if that is not known.
func (p *places) groupAt(row *store.FrameRow) (above *origin, path string, _ *pipeline.Group, err error) {
	if row.Source == 0 {
		return nil, "", nil, nil
	}
	if above, err = p.chain(row.Source, nil); err != nil || above.chain == nil {
		return above, "", nil, err
	}
	c, path := above.chain, above.path
	if slot, within := p.slotOf(row.Source, row.Parent); within && row.Parent != row.Source {
		if at, step := c.AtSlot(slot); step != nil && step.Kind == pipeline.ChainStep {
			c, path = step.Chain, path+at+".chain."
		}
	}
	if int(row.Place) > len(c.Steps) || c.Step(int(row.Place)) == nil {
		return above, "", nil, nil
	}
	return above, path + c.Path(int(row.Place)), c.Step(int(row.Place)).Group, nil
}

// slotOf gives the slot that a key has among those of the chain with a base.
func (p *places) slotOf(base, key int64) (slot int, ok bool) {
	b := p.around(key)
	switch {
	case b == nil || key < base:
		return 0, false
	case b.Frame == base && b.First != base:
		return p.ordinal(b)*pipeline.BlockSize + int(key-b.First), true
	case b.First <= base: // both are in its first block
		return int(key - base), true
	}
	return 0, false
}
