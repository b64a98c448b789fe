package flight

import "slices"

// Waits gives who has the turn that c waits for, nil if that is nobody of this
// session, and the place of c in the line, from 1; 0 if it does not wait.
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

// Elsewhere gives who has the turn that c waits for, as far as was told, if that is
// one of another session; "" if not.
func (t *Table) Elsewhere(c *Claim) string {
	if l := t.lines[c.Key]; c.stage == waiting && l != nil && l.holder == nil {
		return l.told
	}
	return ""
}

// Empty reports whether nobody runs or waits.
func (t *Table) Empty() bool { return len(t.lines) == 0 && len(t.owned) == 0 && len(t.asks) == 0 }
