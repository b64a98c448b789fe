// Package demo is a program to look at: tasks, flows and pipelines of a small shop,
// and runs of them in every state there is. The command dev shows it to those who
// have no tasks yet, and tests of pages and commands have it to look at.
//
// It must not know anything internal: it is what a program that uses Runnel looks
// like. Nothing in it is random, so two servers with the same seed look the same but
// for ids and times.
package demo

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/runnel-dev/runnel"
)

// Demo is the program, for one engine.
type Demo struct {
	shapes []shape
	tasks
	// Bodies that hold something do so until this is closed.
	over chan struct{}
	end  sync.Once
	// Each that has begun to hold says so.
	held chan string
}

// New reads what is to be seeded, such as zoo and fanout:1000; nothing is allowed.
func New(shapes ...string) (*Demo, error) {
	d := &Demo{over: make(chan struct{}), held: make(chan string)}
	for _, text := range shapes {
		s, err := parse(text)
		if err != nil {
			return nil, err
		}
		d.shapes = append(d.shapes, s)
	}
	slices.SortStableFunc(d.shapes, func(a, b shape) int { return cmp.Compare(a.last, b.last) })
	d.tasks = d.declare()
	return d, nil
}

// Options are what the engine is to be opened with.
func (d *Demo) Options() []runnel.OpenOption {
	opts := []runnel.OpenOption{runnel.Register(d.all()...), runnel.Errors("sold_out", errSoldOut)}
	for _, s := range d.shapes {
		if s.queues != nil { // some are not served
			opts = append(opts, runnel.Queues(s.queues...))
		}
	}
	return opts
}

// Seed makes what was asked for. When it returns, all is in the state in which it
// stays until somebody changes it.
func (d *Demo) Seed(ctx context.Context, eng *runnel.Engine) error {
	for _, s := range d.shapes {
		if err := s.seed(d, ctx, eng, s.n); err != nil {
			return err
		}
	}
	return nil
}

// Operation is the body of a request to begin an operation on many runs.
type Operation struct {
	Action string `json:"action"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Operations are those that are to be begun after Seed: the API has them, not the
// engine.
func (d *Demo) Operations() (all []Operation) {
	for _, s := range d.shapes {
		all = append(all, s.operations...)
	}
	return all
}

// End lets bodies end that hold something, so that the engine can be closed.
func (d *Demo) End() { d.end.Do(func() { close(d.over) }) }

// hold tells who waits for it that it has begun, and ends with the demo.
func (d *Demo) hold(ctx context.Context, what string) (string, error) {
	for told := false; ; {
		tell := d.held
		if told {
			tell = nil
		}
		select {
		case tell <- what:
			told = true
		case <-d.over:
			return what, nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// holding waits until n more bodies hold something.
func (d *Demo) holding(ctx context.Context, n int) error {
	for range n {
		select {
		case <-d.held:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
