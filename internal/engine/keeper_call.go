package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
)

// atKeeper asks the keeper for a call of an API of limits, whoever that is.
func atKeeper[In, Out any](
	ctx context.Context, e *Engine, method string, in In, keeps func() bool, here func(context.Context, In) ([]Out, error),
) (out []Out, err error) {
	if e.peers.node == nil {
		return here(ctx, in)
	}
	for {
		changed := e.peers.changed.wait()
		session, self := e.peers.node.KeeperSession()
		switch {
		case self && keeps():
			if out, err := here(ctx, in); !errors.Is(err, cluster.ErrGone) {
				return out, err
			}
		case (self || session == 0) && e.isClosed():
			return nil, api.ErrClosed
		case !self && session != 0:
			var raw json.RawMessage
			if err := e.peers.node.Call(ctx, session, method, in, &raw); !errors.Is(err, cluster.ErrGone) {
				if err == nil && len(raw) > 0 {
					err = json.Unmarshal(raw, &out)
				}
				return out, err
			}
		}
		if err := e.changing(ctx, changed); !errors.Is(err, cluster.ErrGone) {
			return nil, err
		}
	}
}

// without gives those of list that are not in other.
func without(list, other []int64) []int64 {
	return slices.DeleteFunc(list, func(s int64) bool { return slices.Contains(other, s) })
}
