package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
)

// PeerStep does once what engines that share a store do beside their runs, for who
// drives the steps (Config.Manual), and reports whether anybody had said anything: it
// beats if that is due, does what letters say, takes over runs, keeps what all share,
// lends, and sends letters.
func (e *Engine) PeerStep(ctx context.Context, beat bool) (did bool, err error) {
	n := e.peers.node
	_, keeper := n.KeeperSession()
	if beat {
		n.BeatStep()
		if keeper {
			e.wakeAdopt() // as adoptLoop does
		}
	}
	did = n.ReceiveStep()
	err = e.adoptStep(ctx, beat)
	if keeper && !e.keeps() {
		e.keepStep(ctx)
	}
	e.LendStep()
	return n.SendStep() || did, err
}

// Lender is the session of the engine that has lent a job, 0 if it is this one's own.
func Lender(job *api.Job) int64 {
	if x, lent := job.Key.(*borrowed); lent {
		return x.key.from
	}
	return 0
}

// Keeps reports whether this engine keeps what all share, and knows what they have.
func (e *Engine) Keeps() bool { return e.keeps() }
