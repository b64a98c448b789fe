package engine

import (
	"context"
	"iter"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// submitAhead is how many submissions of one SubmitAll may wait for their
// commit at a time.
const submitAhead = 4096

// Submit makes a run of a pipeline and returns once that is durable.
func (e *Engine) Submit(ctx context.Context, spec *api.Spec, name string) (*Handle, error) {
	done := make(chan error, 1)
	r, err := e.submit(ctx, request{spec: spec, name: name}, toldOn(done))
	if err != nil {
		return nil, err
	}
	select {
	case err := <-done:
		if err != nil {
			return nil, err
		}
		return r.handle, nil
	case <-ctx.Done():
		// The commit goes on: the run may exist. Its id tells.
		return r.handle, context.Cause(ctx)
	}
}

// Enqueue makes a run without waiting until it is durable, for who drives the
// engine by hand. It gives the run's id.
func (e *Engine) Enqueue(ctx context.Context, spec *api.Spec, name string) (string, error) {
	r, err := e.submit(ctx, request{spec: spec, name: name}, toldBy(func(error) {}))
	if err != nil {
		return "", err
	}
	return r.text, nil
}

// SubmitAll makes runs of many pipelines, many to a commit, and calls each for
// every run in order once it is durable. It ends at the first error; the runs
// before it exist.
func (e *Engine) SubmitAll(ctx context.Context, specs iter.Seq2[*api.Spec, error], name string, each func(*Handle) error) error {
	ahead := submissions{told: make(chan *submission, submitAhead+1), each: each}
	for spec, err := range specs {
		s := ahead.next()
		if err == nil {
			var r *run
			if r, err = e.submit(ctx, request{spec: spec, name: name}, s); err == nil {
				s.handle = r.handle
			}
		}
		if err != nil {
			if late := ahead.settle(ctx, 0); late != nil {
				return late // it is about a run before
			}
			return err
		}
		ahead.list = append(ahead.list, s)
		if err := ahead.settle(ctx, submitAhead); err != nil {
			return err
		}
	}
	return ahead.settle(ctx, 0)
}

// submissions are the runs of a SubmitAll that nobody was told of yet, in order.
type submissions struct {
	list []*submission
	room []submission     // made several at a time
	told chan *submission // room for all of them
	each func(*Handle) error
}

type submission struct {
	of      *submissions
	handle  *Handle // kept here too: the run is out of the processor's cache by now
	err     error
	settled bool
}

func (s *submission) tell(err error) {
	s.err = err
	s.of.told <- s
}

func (l *submissions) next() *submission {
	if len(l.room) == 0 {
		l.room = make([]submission, 64)
	}
	s := &l.room[0]
	l.room = l.room[1:]
	s.of = l
	return s
}

// settle waits until at most so many are left.
func (l *submissions) settle(ctx context.Context, upTo int) error {
	for len(l.list) > upTo {
		s := l.list[0]
		for !s.settled { // one that was refused may be told before those before it
			select {
			case s := <-l.told:
				s.settled = true
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		l.list[0], l.list = nil, l.list[1:]
		err := s.err
		if err == nil {
			err = l.each(s.handle)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// request is a run that is asked for.
type request struct {
	spec *api.Spec
	name string // "": the first task's
	made *made  // by a schedule, for a trace
	// records gives what is written in the same commit, of the run's id; nil: nothing.
	records func(id string) ([]store.RecordWrite, error)
}

// accepted is what a request becomes before there is a run.
type accepted struct {
	root *pipeline.Chain
	text []byte // the pipeline's JSON
	base int64  // first key of its outermost chain
}

// accept checks a request, names it, and takes its keys.
func (e *Engine) accept(ctx context.Context, req *request) (p accepted, err error) {
	if err := e.checkStore(); err != nil {
		return p, err
	}
	plan, err := pipeline.Compile(req.spec, e.registry)
	if err != nil {
		return p, err
	}
	if p.text, err = req.spec.AppendJSON(make([]byte, 0, 128)); err != nil {
		return p, err
	}
	if req.name == "" {
		req.name = nameOf(req.spec)
	}
	p.root = plan.Root
	p.base, err = e.keys.take(ctx, plan.Root.Width())
	return p, err
}

// submit queues a new run; who asked is told once it is durable, or refused.
func (e *Engine) submit(ctx context.Context, req request, asked told) (*run, error) {
	plan, err := e.accept(ctx, &req)
	if err != nil {
		return nil, err
	}
	done := e.trace(ctx, &req)
	if done == nil {
		return e.put(ctx, &req, &plan, asked)
	}
	r, err := e.put(ctx, &req, &plan, toldBy(func(err error) {
		done(err)
		asked.tell(err)
	}))
	if err != nil {
		done(err)
	}
	return r, err
}

// put queues the run of a request that was accepted.
func (e *Engine) put(ctx context.Context, req *request, plan *accepted, asked told) (*run, error) {
	r, err := e.admit(ctx, req.name, req.made)
	if err != nil {
		return nil, err
	}
	var records []store.RecordWrite
	if req.records != nil {
		records, err = req.records(r.text)
	}
	var kept pipeline.Value
	if err == nil {
		kept, err = e.keep(ctx, r.id, plan.text)
	}
	if err != nil {
		e.forget(r)
		return nil, err
	}
	r.base, r.seq = plan.base, plan.root.Width()
	r.root = newRoot(plan.root, plan.base)
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.newChange()
	c.NewRun = newRuns.Get().(*store.RunRow)
	*c.NewRun = store.RunRow{
		ID: r.id, UID: r.uid, Name: req.name, State: api.Running, Base: plan.base, Created: r.created,
		Plan: store.EncodeRef(payload(kept)), Cell: r.made.cell(),
	}
	records = append(records, r.liveWrites(true)...)
	c.Records = records
	if heir := e.heir(req, plan.root); heir != 0 {
		e.handOver(c, heir, asked)
		return r, nil
	}
	r.apply(c, pipeline.Begin(c.effects, r.root))
	c.told = asked
	e.queue.push(c)
	return r, nil
}

// newRoot makes the frame of a run's outermost chain, in one piece with its keys: it
// always has some.
func newRoot(chain *pipeline.Chain, base int64) *pipeline.Frame {
	one := &struct {
		frame pipeline.Frame
		keys  space
	}{frame: pipeline.Frame{Chain: chain}}
	one.keys.begin(base, 0)
	one.frame.Data = &one.keys
	return &one.frame
}

// admit gives a new run its number and id.
func (e *Engine) admit(ctx context.Context, name string, by *made) (*run, error) {
	number, err := e.takeNumber(ctx)
	if err != nil {
		return nil, err
	}
	now := e.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, api.ErrClosed
	}
	r := e.newRun(number, newUID(now, number, e.random()), name)
	r.created, r.made = now.UnixMicro(), by
	e.runs[r.id] = r
	return r, nil
}

// nameOf is the name of the first task.
func nameOf(spec *api.Spec) string {
	for name := range tasksOf(spec) {
		return name
	}
	return ""
}

// tasksOf gives the tasks that a pipeline names, in their order.
func tasksOf(spec *api.Spec) iter.Seq[string] {
	return func(yield func(string) bool) { eachTask(spec, yield) }
}

func eachTask(spec *api.Spec, yield func(string) bool) bool {
	for i := range spec.Steps {
		if !eachTaskOf(&spec.Steps[i], yield) {
			return false
		}
	}
	return spec.Finally == nil || eachTaskOf(spec.Finally, yield)
}

func eachTaskOf(s *api.Step, yield func(string) bool) bool {
	switch {
	case s.Call != nil:
		return yield(s.Call.Task)
	case s.Each != nil:
		return eachTask(&s.Each.Do, yield)
	case s.Chain != nil:
		return eachTask(s.Chain, yield)
	case s.Group != nil:
		for i := range s.Group.Children {
			if !eachTask(&s.Group.Children[i], yield) {
				return false
			}
		}
	}
	return true
}
