package memory

import (
	"math/bits"
	"sort"

	"github.com/runnel-dev/runnel/internal/store"
)

// A table holds task rows by key. Keys are dense where a group has its
// children and sparse where a chain did not use its block, so a chunk covers 64
// keys and keeps only the rows that exist, in order.
type table struct {
	chunks map[int64]*chunk // by key >> chunkBits
	order  []*chunk         // ascending
	last   *chunk           // the one touched last: neighbours come together
}

const (
	chunkBits = 6
	chunkKeys = 1 << chunkBits
)

type chunk struct {
	first int64
	used  uint64 // which of the keys have a row
	rows  []store.TaskRow
}

// at gives the place of a key in rows, and whether it is taken.
func (c *chunk) at(id int64) (place int, bit uint64, taken bool) {
	bit = 1 << uint64(id-c.first)
	return bits.OnesCount64(c.used & (bit - 1)), bit, c.used&bit != 0
}

func (t *table) chunk(id int64) *chunk {
	n := id >> chunkBits
	if t.last != nil && t.last.first>>chunkBits == n {
		return t.last
	}
	c := t.chunks[n]
	if c != nil {
		t.last = c
	}
	return c
}

// get gives the row with that key, nil for none. It is valid until the next
// insert or remove.
func (t *table) get(id int64) *store.TaskRow {
	c := t.chunk(id)
	if c == nil {
		return nil
	}
	if i, _, taken := c.at(id); taken {
		return &c.rows[i]
	}
	return nil
}

// insert adds a row with a key that has none.
func (t *table) insert(row store.TaskRow) {
	c := t.chunk(row.ID)
	if c == nil {
		c = &chunk{first: row.ID >> chunkBits << chunkBits}
		t.chunks[row.ID>>chunkBits] = c
		i := t.search(row.ID)
		t.order = append(t.order, nil)
		copy(t.order[i+1:], t.order[i:])
		t.order[i] = c
		t.last = c
	}
	i, bit, _ := c.at(row.ID)
	c.used |= bit
	c.rows = append(c.rows, store.TaskRow{})
	copy(c.rows[i+1:], c.rows[i:])
	c.rows[i] = row
}

// remove takes a row away again. The chunk stays, be it empty.
func (t *table) remove(id int64) {
	c := t.chunk(id)
	i, bit, _ := c.at(id)
	c.used &^= bit
	c.rows = append(c.rows[:i], c.rows[i+1:]...)
}

// search gives the place in order of the first chunk with a key at or after id.
func (t *table) search(id int64) int {
	n := len(t.order)
	if n > 0 && t.order[n-1].first+chunkKeys <= id {
		return n // the common case: the newest keys
	}
	return sort.Search(n, func(i int) bool { return t.order[i].first+chunkKeys > id })
}

// scan appends a run's rows with from <= ID < to, in order, until out is full.
func (t *table) scan(out []store.TaskRow, run, from, to int64) []store.TaskRow {
	for i := t.search(from); i < len(t.order) && t.order[i].first < to; i++ {
		for j := range t.order[i].rows {
			row := &t.order[i].rows[j]
			if row.ID < from || row.Run != run && row.ID < to {
				continue
			}
			if row.ID >= to || len(out) == cap(out) {
				return out
			}
			out = append(out, *row)
		}
	}
	return out
}
