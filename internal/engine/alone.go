package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
)

// What is still kept by each process for itself is refused while several share the
// store. One that joins sees those that were there before it begins anything, so no
// two at a time do without: the older one goes on with what it has.

// together gives how many processes work on the store, as far as is known.
func (p *peers) together() int {
	if p.node == nil {
		return 1
	}
	return len(p.node.Live())
}

// alone refuses what can't be kept for several processes.
func (e *Engine) alone(what string) error {
	return refusedTogether(what, e.peers.together())
}

// aloneNow is alone by what the store says now.
func (e *Engine) aloneNow(ctx context.Context, what string) error {
	if e.peers.node == nil {
		return nil
	}
	members, given, err := e.peers.shared.Beat(ctx, e.peers.offer)
	if err != nil {
		return err
	}
	if given > 0 {
		e.wakeAdopt()
	}
	return refusedTogether(what, len(members))
}

func refusedTogether(what string, processes int) error {
	if processes <= 1 {
		return nil
	}
	return api.Errorf(api.ErrConflict, "", "%s would not hold over the %d processes that work on this store, so it is refused while there is more than one; a limit of a tag does hold", what, processes)
}
