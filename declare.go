package runnel

import (
	"context"
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/worker"
)

// declaration is a task with its types erased. It does not change once made.
type declaration struct {
	name    string
	params  []param
	result  param
	options api.Options
	work    worker.Task
	// direct runs the body in memory, as a part of a combined task; nil for a
	// task that can't be one.
	direct       func(ctx context.Context, args []any) (any, error)
	combined     bool
	trips        func(api.BatchCounts) bool // of a kill switch, which is no task
	orchestrator bool
	version      string
	keyed        bool // by CacheKey, which goes before CacheBy
	description  string
	declared     origin
	// refused is why the task can't be called from a pipeline: its types don't
	// travel. It can still be a part of a combined one.
	refused error
	err     error
}

// signature is what the engine checks pipelines with.
func (d *declaration) signature() *pipeline.Signature {
	sig := &pipeline.Signature{
		Flow: d.work.Flow, Orchestrator: d.orchestrator, Cached: d.work.CacheKey != nil, Told: d.work.HasOutcomes(),
		Name: d.name, Result: d.result.kind, Options: d.options,
	}
	sig.Trips = d.trips
	for _, p := range d.params {
		sig.Params = append(sig.Params, p.kind)
	}
	sig.Check = func(i int, arg []byte) error { return d.params[i].check(arg) }
	return sig
}

func declare[A, B, C, R any](name string, arity int) *declaration {
	all := [...]param{paramOf[A](), paramOf[B](), paramOf[C]()}
	d := &declaration{name: name, params: all[:arity:arity], result: paramOf[R]()}
	d.work.Name = name
	if name == "" {
		d.err = api.Errorf(ErrInvalid, "", "a task has no name")
	}
	for i, p := range d.params {
		if p.refused != nil && d.refused == nil {
			d.refused = api.Errorf(ErrEncoding, "", "task %q: argument %d: %w", name, i+1, p.refused)
		}
	}
	if d.result.refused != nil && d.refused == nil {
		d.refused = api.Errorf(ErrEncoding, "", "task %q: result: %w", name, d.result.refused)
	}
	return d
}

// configure applies the options that a task is declared with.
func (d *declaration) configure(noBody bool, opts []TaskOption) {
	d.declared = here()
	var err error
	if noBody {
		err = api.Errorf(ErrInvalid, "", "has no function")
	}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if wrong := o.declare(d); wrong != nil && err == nil {
			err = wrong
		}
	}
	if d.work.RunName != nil && d.options.Name != "" && err == nil {
		err = api.Errorf(ErrInvalid, "", "declared with Name and RunName: give one of the two")
	}
	if err != nil && d.err == nil {
		d.err = api.Errorf(ErrInvalid, "", "task %q: %w", d.name, err)
	}
}

func ref[A, B, C, R any](name string, arity int) handle {
	return handle{decl: declare[A, B, C, R](name, arity)}
}

// newTask declares a task of up to three arguments; those past its arity are
// None and ignored.
func newTask[A, B, C, R any](name string, arity int, noBody bool, body func(context.Context, A, B, C) (R, error), opts []TaskOption) handle {
	d := declare[A, B, C, R](name, arity)
	d.configure(noBody, opts)
	d.work.Run = func(b *worker.Body) (worker.Result, error) {
		x, y, z, err := begin[A, B, C](d, b)
		if err != nil {
			return worker.Result{}, err
		}
		r, err := body(b, x, y, z)
		if err != nil {
			return worker.Result{}, err
		}
		return encodeResult(d, r)
	}
	d.direct = func(ctx context.Context, args []any) (any, error) {
		return body(ctx, nth[A](args, 0), nth[B](args, 1), nth[C](args, 2))
	}
	return handle{decl: d}
}

func encodeResult[R any](d *declaration, r R) (worker.Result, error) {
	data, err := encode(r)
	if err != nil {
		return worker.Result{}, worker.Final(api.Errorf(ErrEncoding, "", "task %q: result: %w", d.name, err))
	}
	return worker.Result{Value: data}, nil
}

// nth gives an argument in memory, the zero value past the last one and for nil.
func nth[T any](args []any, i int) (v T) {
	if i < len(args) {
		v = as[T](args[i])
	}
	return v
}

// begin gives the arguments of a body that is to run, and says that it runs.
func begin[A, B, C any](d *declaration, b *worker.Body) (x A, y B, z C, err error) {
	if x, y, z, err = arguments[A, B, C](d, b.Job()); err != nil {
		return x, y, z, worker.Final(err)
	}
	return x, y, z, b.Start()
}

// arguments decodes a job's arguments: what arrived, then the bound ones.
func arguments[A, B, C any](d *declaration, job *api.Job) (x A, y B, z C, err error) {
	var room [3]json.RawMessage
	args, err := collect(room[:0], d, job)
	if err != nil {
		return x, y, z, err
	}
	i := 0
	if len(args) > 0 {
		x, err = decode[A](args[0])
	}
	if len(args) > 1 && err == nil {
		i = 1
		y, err = decode[B](args[1])
	}
	if len(args) > 2 && err == nil {
		i = 2
		z, err = decode[C](args[2])
	}
	if err != nil {
		err = api.Errorf(ErrEncoding, "", "task %q: argument %d: %w", d.name, i+1, err)
	}
	return x, y, z, err
}

// collect appends the arguments as JSON, as many as the task takes.
func collect(args []json.RawMessage, d *declaration, job *api.Job) ([]json.RawMessage, error) {
	switch {
	case job.Spread > 0:
		var parts []json.RawMessage
		if err := json.Unmarshal(job.Input, &parts); err != nil || len(parts) != int(job.Spread) {
			return nil, api.Errorf(ErrEncoding, "", "task %q: wants an array of %d to spread, got %s", d.name, job.Spread, excerpt(job.Input))
		}
		args = append(args, parts...)
	case job.Input != nil:
		args = append(args, job.Input)
	case len(d.params) > 0 && d.params[0].kind == "none":
		args = append(args, nil) // nothing arrived, and nothing is asked for
	}
	args = append(args, job.Bound...)
	if len(args) != len(d.params) {
		return nil, api.Errorf(ErrEncoding, "", "task %q wants %d arguments, got %d", d.name, len(d.params), len(args))
	}
	return args, nil
}
