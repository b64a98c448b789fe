package work

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/examples/ledger"
)

// Tasks are all that the work needs.
func Tasks() runnel.OpenOption {
	return runnel.Register(visit, add, shaky, hopeless, rescue, hold, release, limited, turn, slotted, numbers, sum, sweep, flow)
}

// Tag is that of the limited tasks, and Limit the global limit of those that hold a
// slot.
const (
	Tag   = "torture"
	Limit = "torture"
)

// Book notes the bodies, once it is open.
var Book ledger.Book

var (
	begun = runnel.OnStarted(Book.Started)
	ended = runnel.OnFinished(Book.Finished)

	add = runnel.NewTask2("add", func(ctx context.Context, x, n int) (int, error) { return x + n, moment(ctx) }, begun, ended)
	// shaky fails half of the time.
	shaky = runnel.NewTask1("shaky", func(ctx context.Context, x int) (int, error) {
		if rand.IntN(2) == 0 {
			return 0, errors.New("shaken")
		}
		return x, moment(ctx)
	}, begun, ended, runnel.Retries(50), runnel.RetryDelay(time.Millisecond))
	hopeless = runnel.NewTask1("hopeless", func(ctx context.Context, _ int) (int, error) {
		return 0, errors.Join(moment(ctx), errors.New("no hope"))
	}, begun, ended, runnel.Retries(1))
	rescue = runnel.NewTask1("rescue", func(ctx context.Context, _ *runnel.Failure) (int, error) { return 7, moment(ctx) }, begun, ended)
	// hold keeps the number in the pipeline's state, and release takes it from there.
	hold = runnel.NewTask1("hold", func(ctx context.Context, x int) (int, error) {
		return -1, errors.Join(runnel.State[int](ctx).Set(x), moment(ctx))
	}, begun, ended)
	release = runnel.NewTask1("release", func(ctx context.Context, _ int) (int, error) {
		x, err := runnel.State[int](ctx).Get()
		return x, errors.Join(err, moment(ctx))
	}, begun, ended)
	limited = runnel.NewTask1("limited", func(ctx context.Context, x int) (int, error) { return x, moment(ctx) }, begun, ended, runnel.Tags(Tag))
	// turn counts its bodies in the state under its task id.
	turn = runnel.NewTask1("turn", func(ctx context.Context, x int) (int, error) {
		n, err := runnel.Keyed[int](ctx).Get()
		return x, errors.Join(err, moment(ctx), runnel.Keyed[int](ctx).Set(n+1))
	}, begun, ended)
	slotted = runnel.NewTask1("slotted", func(ctx context.Context, x int) (int, error) {
		release, err := runnel.Acquire(ctx, Limit)
		if err != nil {
			return 0, err
		}
		defer release()
		return x, moment(ctx)
	}, begun, ended)
	numbers = runnel.NewTask2("numbers", func(ctx context.Context, x, n int) ([]int, error) {
		var list []int
		for i := range n {
			list = append(list, x+i)
		}
		return list, moment(ctx)
	}, begun, ended)
	sum = runnel.NewTask1("sum", func(ctx context.Context, list []int) (total int, err error) {
		for _, x := range list {
			total += x
		}
		return total, moment(ctx)
	}, begun, ended)
	sweep = runnel.NewTask0("sweep", func(ctx context.Context) (runnel.None, error) { return runnel.None{}, moment(ctx) }, begun, ended)
)

// visit is the pipeline of a node; flow calls the parts of one.
var (
	visit runnel.Task2[int, Node, int]
	flow  runnel.Task2[int, Node, int]
)

func init() { //nolint:gochecknoinits // they refer to themselves
	visit = runnel.NewOrchestrator2("visit", func(ctx context.Context, x int, n Node) (runnel.Runnable[int], error) {
		if n.Kind == Finally {
			return n.Parts[0].Pipeline(x).FinallyDo(sweep.Send()), moment(ctx)
		}
		return n.Pipeline(x), moment(ctx)
	}, begun, ended)
	flow = runnel.NewFlow2("flow", parts, begun, ended)
}

// parts calls the parts of a node: every second one at once, the others when those
// before them are done.
func parts(f runnel.Flow, x int, n Node) (total int, err error) {
	var open []*runnel.Future[int]
	for i, part := range n.Parts {
		call := visit.Submit(f, x, part)
		if i%2 == 0 {
			open = append(open, call)
			continue
		}
		v, err := call.Result(f)
		if err != nil {
			return 0, err
		}
		total += v
		if err := f.Sleep(time.Millisecond); err != nil {
			return 0, err
		}
	}
	for _, call := range open {
		v, err := call.Result(f)
		if err != nil {
			return 0, err
		}
		total += v
	}
	return total, nil
}

// Pipeline is the work of a node.
func (n Node) Pipeline(x int) runnel.Pipeline[int] {
	switch n.Kind {
	case Add:
		return add.Send(x, n.N)
	case Shaky:
		return shaky.Send(x)
	case Rescue:
		return hopeless.Send(x).Exceptionally(rescue)
	case State:
		return hold.Send(x).ContinueWith(release)
	case Limited:
		return limited.Send(x)
	case Turn:
		return turn.Send(x).Set(runnel.TaskID("torture " + strconv.Itoa(n.N%8)))
	case Slot:
		return slotted.Send(x)
	case Chain:
		p := n.Parts[0].Pipeline(x)
		for _, part := range n.Parts[1:] {
			p = p.ContinueWith(visit.With(part))
		}
		return p
	case Group:
		var all []runnel.Pipeline[int]
		for _, part := range n.Parts {
			all = append(all, part.Pipeline(x))
		}
		return runnel.InParallel(runnel.List(all...), runnel.MaxParallelism(2)).ContinueWith(sum)
	case Each:
		return numbers.Send(x, n.N).ContinueWith(runnel.Each(visit.With(n.Parts[0]), runnel.MaxParallelism(3))).ContinueWith(sum)
	case Flow:
		return flow.Send(x, n)
	case Finally:
		return visit.Send(x, n) // what has something to do in any case is a whole pipeline
	}
	panic("kind " + string(n.Kind))
}

// moment passes, of up to 20 ms.
func moment(ctx context.Context) error {
	select {
	case <-time.After(time.Duration(rand.IntN(20_000)) * time.Microsecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
