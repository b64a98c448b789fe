package runnel_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/runnel-dev/runnel"
)

const (
	wideCount     = 100_000
	wideWindow    = 100     // how many calls are in progress
	wideTolerance = 2 << 20 // of the heap
)

// heaps is how much memory was in use at times, in their order.
type heaps []uint64

func (h *heaps) take() {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	*h = append(*h, m.HeapAlloc)
}

// flat checks that the second half of them is not above the first. What is in
// flight at one time says nothing, so it is the least of each half.
func (h heaps) flat(t *testing.T) {
	t.Helper()
	if len(h) < 6 {
		t.Fatalf("measured %d times", len(h))
	}
	early, late := slices.Min(h[:len(h)/2]), slices.Min(h[len(h)/2:])
	t.Logf("%d KiB, later %d KiB", early>>10, late>>10)
	if late > early+wideTolerance {
		t.Errorf("the heap grew from %d to %d KiB: %v", early>>10, late>>10, h)
	}
}

// at says when to measure: three times once queues and pools have the size that they
// keep, which takes longer on a busy machine, and three times late.
func (heaps) at(i int) bool {
	const first, step = wideCount / 4, wideCount / 50
	for k := range 3 {
		if i == first+k*step || i == wideCount-wideWindow-k*step {
			return true
		}
	}
	return false
}

// inWindows is a flow that calls one many times, some calls at a time.
func inWindows(f runnel.Flow, one runnel.Task1[int, int]) (sum int, err error) {
	for i := 0; i < wideCount; i += wideWindow {
		futures := make([]*runnel.Future[int], wideWindow)
		for k := range futures {
			futures[k] = one.Submit(f, i+k)
		}
		for _, future := range futures {
			got, err := future.Result(f)
			if err != nil {
				return 0, err
			}
			sum += got
		}
	}
	return sum, nil
}

// Tk: a flow of many calls, one after the other or some at a time, holds no more
// memory than one of few; nor does a group of many children.
func TestWideIsFlatInMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector keeps memory of its own")
	}
	var used heaps
	var measuring sync.Mutex
	one := runnel.NewTask1("one", func(_ context.Context, i int) (int, error) {
		if used.at(i) {
			measuring.Lock()
			defer measuring.Unlock()
			used.take()
		}
		return i, nil
	})
	calls := runnel.NewFlow0("calls", func(f runnel.Flow) (sum int, err error) {
		for i := range wideCount {
			got, err := one.Call(f, i)
			if err != nil {
				return 0, err
			}
			sum += got
		}
		return sum, nil
	})
	windows := runnel.NewFlow0("windows", func(f runnel.Flow) (int, error) { return inWindows(f, one) })
	total := runnel.NewTask1("total", func(_ context.Context, xs []int) (sum int, err error) {
		for _, x := range xs {
			sum += x
		}
		return sum, nil
	})
	list := make([]int, wideCount)
	for i := range list {
		list[i] = i
	}
	for _, c := range []struct {
		name string
		p    runnel.Pipeline[int]
	}{
		{"calls of a flow, one after the other", calls.Send()},
		{"calls of a flow, some at a time", windows.Send()},
		{"children of a group", runnel.Value(list).ContinueWith(runnel.Each(one, runnel.MaxParallelism(4))).ContinueWith(total)},
	} {
		t.Run(c.name, func(t *testing.T) {
			used = nil
			eng := reopen(t, dsnOf(t, "sqlite")+"?sync=normal", runnel.Register(one, calls, windows, total))
			defer shut(t, eng)
			sum, err := eng.Run(t.Context(), c.p)
			do(t, err)
			wants(t, "sum", sum, wideCount*(wideCount-1)/2)
			used.flat(t)
		})
	}
}

// A flow that goes on after a crash reads what is recorded of its calls as it
// comes to them.
func TestWideFlowIsFlatInMemoryAfterACrash(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector keeps memory of its own")
	}
	var used heaps
	one := runnel.NewTask1("one", func(_ context.Context, i int) (int, error) { return i, nil })
	called, begun := make(chan struct{}), 0
	flow := runnel.NewFlow0("flow", func(f runnel.Flow) (int, error) {
		begun++
		for range 3 {
			used.take()
		}
		sum, err := inWindows(f, one)
		if err == nil && begun == 1 {
			close(called)
			<-f.Done()
			err = f.Err()
		}
		return sum, err
	})
	dsn := dsnOf(t, "sqlite") + "?sync=normal"
	eng := reopen(t, dsn, runnel.Register(one, flow))
	run, err := eng.Submit(t.Context(), flow.Send())
	do(t, err)
	<-called
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := eng.Close(ctx); !errors.Is(err, runnel.ErrTimeout) && !errors.Is(err, context.Canceled) {
		t.Fatalf("Close gives %v", err)
	}
	eng = reopen(t, dsn, runnel.Register(one, flow))
	defer shut(t, eng)
	again, err := eng.Attach[int](t.Context(), run.ID())
	do(t, err)
	ends(t, wideCount*(wideCount-1)/2, again)
	used.flat(t)
}
