package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// again is a retry of a run: of what did not complete, of all, or from a call on.
type again struct {
	all  bool
	from *node
	path map[*node]bool // what leads to from, itself included
}

// retry starts a new generation of a run that has ended.
func (w *world) retry(r *simRun) bool {
	w.see(r)
	if !r.last.State.Final() || r.retries > 2 || r.asked != nil {
		return false
	}
	asked, what, key := &again{}, "what failed", int64(0)
	switch n := w.rng.IntN(6); {
	case n == 0:
		asked.all, what = true, "all"
	case n < 3:
		if asked.from, key, asked.path = w.retriable(r); asked.from == nil {
			return false
		}
		what = "from " + asked.from.sig
	case r.last.State == api.Completed:
		return false
	}
	err := w.startAgain(r, asked, key)
	w.did("retry %s of run %d: %v", what, r.number, err)
	r.retries++
	switch {
	case err == nil:
		r.asked = asked
		w.counts["retry "+strings.Fields(what)[0]]++
	case r.fuzzy && asked.from != nil && errors.Is(err, api.ErrConflict): // it is not what was foretold
	default:
		w.broken("retry run %d: %v", r.number, err)
	}
	return true
}

// foretell computes what the run must do in a generation.
func (r *simRun) foretell(gen int) {
	of := again{all: true}
	if gen > 0 {
		of, r.asked = *r.asked, nil
	}
	r.fuzzy = r.fuzzy || !of.all && r.naive.loose // nobody knows which children completed
	r.naive, r.tree = interpret(r.spec, gen, r.tree, of)
	r.fuzzy = r.fuzzy || r.naive.fuzzy
	r.keys = map[string]map[string]int64{}
	if r.sigs == nil {
		r.sigs, r.trips = map[int64]string{}, map[int64]*trip{}
		r.kills = bytes.Contains(encode(r.spec), []byte(`"kill_switches"`))
	}
}

func (w *world) startAgain(r *simRun, asked *again, key int64) error {
	switch {
	case asked.all:
		return w.e.RetryAll(w.ctx, r.id)
	case asked.from != nil:
		return w.e.RetryFrom(w.ctx, fmt.Sprintf("%s/%d", r.id, w.seqOf(r, key)))
	}
	return w.e.Retry(w.ctx, r.id)
}

// retriable chooses a call of the run that can be told from all others, and gives its
// row's key and what leads there.
func (w *world) retriable(r *simRun) (from *node, key int64, path map[*node]bool) {
	keys := make(map[string][]int64)
	for key, sig := range r.sigs {
		keys[sig] = append(keys[sig], key)
	}
	var can [][]*node
	seen := make(map[string]int)
	r.tree.walk(nil, false, func(line []*node, called bool) {
		sig := line[len(line)-1].sig
		seen[sig]++
		if of := keys[sig]; !called && len(of) == 1 {
			if row, _ := w.row(r, of[0]); row != nil && row.State.Final() {
				can = append(can, slices.Clone(line))
			}
		}
	})
	can = slices.DeleteFunc(can, func(line []*node) bool { return seen[line[len(line)-1].sig] > 1 })
	if len(can) == 0 {
		return nil, 0, nil
	}
	line := can[w.rng.IntN(len(can))]
	path = make(map[*node]bool)
	for _, k := range line {
		path[k] = true
	}
	from = line[len(line)-1]
	return from, keys[from.sig][0], path
}

// walk calls yield for each call, with what leads there.
func (k *node) walk(above []*node, called bool, yield func(line []*node, called bool)) {
	line := append(slices.Clip(above), k)
	if k.sig != "" {
		yield(line, called)
		called = called || k.steps != nil // by a flow
	}
	last := -1
	for at := range k.steps {
		last = max(last, at)
	}
	for at := range last + 1 {
		if step := k.steps[at]; step != nil {
			step.walk(line, called, yield)
		}
	}
	for _, kid := range k.kids {
		if kid != nil {
			kid.walk(line, called, yield)
		}
	}
	if k.child != nil {
		k.child.walk(line, called, yield)
	}
}

// seqOf gives the number of the task run with a key.
func (w *world) seqOf(r *simRun, key int64) int64 {
	blocks, err := w.store.Blocks(w.ctx, r.number)
	if err != nil {
		w.broken("blocks: %v", err)
	}
	i := slices.IndexFunc(blocks, func(b store.Block) bool { return b.First <= key && key < b.First+b.Count })
	if i < 0 {
		return key - r.last.Base
	}
	return blocks[i].Seq + key - blocks[i].First
}

// mayFollow reports whether a generation may follow one that ended so.
func (a *again) mayFollow(state api.State) bool {
	return state == api.Failed || state == api.Cancelled || state == api.Completed && (a.all || a.from != nil)
}

// on reports whether what is to run again is below a node, or is it.
func (n *naive) on(old *node) bool { return n.again.from != nil && n.again.path[old] }

// stays reports whether the failure of a child of a group stays what it is.
func (n *naive) stays(o *api.GroupOptions) bool {
	return (n.again.from != nil || o.Settle) && !o.FailFast && len(o.KillSwitches) == 0
}
