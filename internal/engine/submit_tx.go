package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/store"
)

// SubmitTx puts a run of a pipeline into a transaction of the caller's, and gives
// its id. The run is there once that commits, and never if it does not. It is a
// row of its own that belongs to no process, as if its process had gone, so an
// engine takes it over as it does with those. This one, or the one that it would
// hand the run over to, is told by a letter in the same transaction; if that has
// gone too, the keeper looks before long.
func (e *Engine) SubmitTx(ctx context.Context, in store.Statement, spec *api.Spec, name string) (id string, err error) {
	outside, ok := e.store.(store.Outside)
	if !ok {
		return "", api.Errorf(api.ErrInvalid, "", "SubmitTx puts the run into your transaction, so it needs an engine with the PostgreSQL database that the transaction is one of; Submit after your commit works with every store")
	}
	req := request{spec: spec, name: name}
	plan, err := e.accept(ctx, &req)
	if err != nil {
		return "", err
	}
	if done := e.trace(ctx, &req); done != nil {
		defer func() { done(err) }()
	}
	number, err := e.takeNumber(ctx)
	if err != nil {
		return "", err
	}
	now := e.now()
	uid := newUID(now, number, e.random())
	taker := e.peers.node.Self()
	if heir := e.heir(&req, plan.root); heir != 0 {
		taker = heir
	}
	letter, err := cluster.Notice(taker, runsHanded, number)
	if err != nil {
		return "", err
	}
	row := &store.RunRow{
		ID: number, UID: uid, Name: req.name, State: api.Running, Base: plan.base, Created: now.UnixMicro(),
		Plan: store.EncodeRef(store.Payload{Data: plan.text}), Cell: req.made.cell(),
	}
	if err := outside.InsertRun(ctx, in, row, letter); err != nil {
		return "", err
	}
	return uid.String(), nil
}
