package engine

import (
	"context"
	"sync"

	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// keyring gives out keys from ranges that the store reserved.
type keyring struct {
	store store.Store
	mu    sync.Mutex
	next  int64
	end   int64
}

// reserve is how many keys are asked for at a time. What is left over when the
// engine stops is lost, of 2^63.
const reserve = 1 << 20

// take gives n keys in a row.
func (k *keyring) take(ctx context.Context, n int64) (int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.end-k.next < n {
		size := max(n, reserve)
		first, err := k.store.ReserveKeys(ctx, size)
		if err != nil {
			return 0, err
		}
		k.next, k.end = first, first+size
	}
	first := k.next
	k.next += n
	return first, nil
}

// space holds the keys of a chain's task steps, a block at a time. Which key a
// step has follows from bases that are committed before the step starts.
type space struct {
	blocks []block
	one    [1]block // room for the first
	last   int64    // key of the task step that ended last, 0 for none
	lastOK bool
	lastID string // its id, "" if it would have to be made
}

type block struct{ first, seq int64 }

func newSpace(first, seq int64) *space {
	s := new(space)
	s.begin(first, seq)
	return s
}

func (s *space) begin(first, seq int64) {
	s.one[0] = block{first, seq}
	s.blocks = s.one[:]
}

// spaceOf gives the keys that the steps of chain frame f take.
func spaceOf(f *pipeline.Frame) *space { return f.Data.(*space) }

// at gives the key and number of a slot, if its block exists.
func (s *space) at(slot int) (key, seq int64, ok bool) {
	n := slot / pipeline.BlockSize
	if n >= len(s.blocks) {
		return 0, 0, false
	}
	off := int64(slot % pipeline.BlockSize)
	return s.blocks[n].first + off, s.blocks[n].seq + off, true
}

// base names the space: the first key.
func (s *space) base() int64 { return s.blocks[0].first }

// reach makes the blocks up to that of slot, as part of change c.
func (r *run) reach(c *change, s *space, slot int) error {
	for slot/pipeline.BlockSize >= len(s.blocks) {
		b, err := r.newBlock(c, pipeline.BlockSize, s.base())
		if err != nil {
			return err
		}
		s.blocks = append(s.blocks, b)
	}
	return nil
}

// newBlock takes n keys for the run, as part of change c. Owner is the base of
// the space that it belongs to, 0 if it begins one.
func (r *run) newBlock(c *change, n, owner int64) (block, error) {
	var first int64
	err := r.e.patiently(func() (err error) {
		first, err = r.e.keys.take(c.ctx(), n)
		return err
	})
	if err != nil {
		return block{}, err
	}
	b := block{first, r.seq}
	r.seq += n
	if owner == 0 {
		owner = first
	}
	c.Blocks = append(c.Blocks, store.Block{Run: r.id, First: first, Count: n, Seq: b.seq, Frame: owner})
	return b, nil
}
