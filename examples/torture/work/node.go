// Package work is random work with an answer that is known beforehand: pipelines
// and flows of tasks that take a moment, some of which fail now and then.
package work

import (
	"fmt"
	"math/rand/v2"
)

// Node is a piece of work: given a number it comes to another one.
type Node struct {
	Kind  Kind   `json:"kind"`
	N     int    `json:"n,omitempty"`
	Parts []Node `json:"parts,omitempty"`
}

// Kind is what a node does with the number x.
type Kind string

// The kinds.
const (
	Add     Kind = "add"     // x + N
	Shaky   Kind = "shaky"   // x, after some failures
	Rescue  Kind = "rescue"  // 7, after a failure for good
	State   Kind = "state"   // x, which the pipeline's state kept meanwhile
	Limited Kind = "limited" // x, by a task with a tag that has a limit
	Turn    Kind = "turn"    // x, by a task with a task id that others have too
	Slot    Kind = "slot"    // x, by a task that holds a slot of a global limit
	Chain   Kind = "chain"   // the parts one after the other
	Group   Kind = "group"   // the sum of the parts, each given x
	Each    Kind = "each"    // the sum of the part for x, x+1, …, of which there are N
	Flow    Kind = "flow"    // the sum of the parts, called by a flow, some side by side
	Finally Kind = "finally" // the part, with something to do in any case
)

var (
	leaves = []Kind{Add, Shaky, Rescue, State, Limited, Turn, Slot}
	inner  = []Kind{Chain, Chain, Group, Group, Each, Flow, Flow, Finally}
)

// Random makes the work of a seed.
func Random(seed uint64) Node {
	r := rand.New(rand.NewPCG(seed, seed))
	return random(r, 3)
}

func random(r *rand.Rand, depth int) Node {
	if depth == 0 {
		return Node{Kind: leaves[r.IntN(len(leaves))], N: r.IntN(100)}
	}
	n := Node{Kind: inner[r.IntN(len(inner))], N: 1 + r.IntN(5)}
	parts := 1
	switch n.Kind {
	case Chain, Group, Flow:
		parts = 1 + r.IntN(4)
	default:
	}
	for range parts {
		n.Parts = append(n.Parts, random(r, r.IntN(depth)))
	}
	return n
}

// Answer is what a node comes to, worked out in the plainest way.
func (n Node) Answer(x int) (sum int) {
	switch n.Kind {
	case Add:
		return x + n.N
	case Shaky, State, Limited, Turn, Slot:
		return x
	case Rescue:
		return 7
	case Chain:
		for _, part := range n.Parts {
			x = part.Answer(x)
		}
		return x
	case Group, Flow:
		for _, part := range n.Parts {
			sum += part.Answer(x)
		}
		return sum
	case Each:
		for i := range n.N {
			sum += n.Parts[0].Answer(x + i)
		}
		return sum
	case Finally:
		return n.Parts[0].Answer(x)
	}
	panic(fmt.Sprintf("kind %q", n.Kind))
}
