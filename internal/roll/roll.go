// Package roll tells when all of several sessions have stated what they have.
//
// Who begins to keep something for others knows of nobody. What it grants before
// all that live have stated might be had already by one that has not.
package roll

import "slices"

// Call is who has stated, of a roll call that ends once all have.
type Call struct {
	stated map[int64]bool
	over   bool
}

// Stated takes note that a session has stated all that it has.
func (c *Call) Stated(session int64) {
	if c.stated == nil {
		c.stated = make(map[int64]bool)
	}
	c.stated[session] = true
}

// Known gives those that have stated, in no order.
func (c *Call) Known() map[int64]bool { return c.stated }

// Gone forgets a session that has ended.
func (c *Call) Gone(session int64) { delete(c.stated, session) }

// Over reports whether all that live have stated.
func (c *Call) Over() bool { return c.over }

// Ends says which sessions live, as seen after the call began, and reports whether
// it ends by that.
func (c *Call) Ends(live []int64) bool {
	if c.over || slices.ContainsFunc(live, func(s int64) bool { return !c.stated[s] }) {
		return false
	}
	c.over = true
	return true
}
