package limit

import (
	"cmp"
	"slices"
)

// Claim is what a task run asks for: a slot of each of its tags that is limited.
type Claim struct {
	ID    string // of the task run, for people
	Owner int64  // its run's number
	Tags  []string
	Task  any // belongs to who asks

	ticket int64 // from the first asking until it leaves; 0: none
	stage  stage
	asked  int64 // when it asked first, if that is measured
	since  int64 // when it got its slots, if that is measured
}

// Waits reports whether c is told later that it may begin.
func (c *Claim) Waits() bool { return c.stage == waiting }

func byTicket(a, b *Claim) int { return cmp.Compare(a.ticket, b.ticket) }

type stage uint8

const (
	idle    stage = iota // has nothing, and is in no queue
	waiting              // is in the queues, unless its run is parked
	granted              // has its slots, and has not begun
	begun
)

// queue is claims by ticket, the oldest first.
type queue []*Claim

func (q queue) find(c *Claim) (int, bool) {
	if n := len(q); n == 0 || q[n-1].ticket < c.ticket {
		return n, false // the common case: the newest
	}
	return slices.BinarySearchFunc(q, c, byTicket)
}

// add puts c where it belongs, once.
func (q *queue) add(c *Claim) {
	if i, found := q.find(c); !found {
		*q = slices.Insert(*q, i, c)
	}
}

func (q *queue) remove(c *Claim) {
	i, found := q.find(c)
	switch {
	case !found:
	case i == 0:
		(*q)[0] = nil
		*q = (*q)[1:]
	default:
		*q = slices.Delete(*q, i, i+1)
	}
}

// of gives the claims of a run.
func (q queue) of(owner int64) []*Claim {
	return q.chosen(func(c *Claim) bool { return c.Owner == owner })
}

// with gives the claims that have a tag.
func (q queue) with(tag string) []*Claim {
	return q.chosen(func(c *Claim) bool { return slices.Contains(c.Tags, tag) })
}

func (q queue) chosen(choose func(*Claim) bool) (chosen []*Claim) {
	for _, c := range q {
		if choose(c) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
