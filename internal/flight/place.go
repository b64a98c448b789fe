package flight

import "slices"

// Waits gives who has the turn that c waits for, and the place of c in the line,
// from 1; nil if it does not wait.
func (t *Table) Waits(c *Claim) (holder *Claim, place int) {
	l := t.lines[c.Key]
	if c.stage != waiting || l == nil {
		return nil, 0
	}
	if i, found := slices.BinarySearchFunc(l.queue, c, byTicket); found {
		place = i + 1
	}
	return l.holder, place
}
