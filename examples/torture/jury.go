//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/examples/torture/work"
)

// Some work is always in progress, and never much more than that.
const (
	ahead = 60 // runs in progress, at most
	batch = 20 // runs that are submitted at a time
)

// jury has processes submit work, and looks at the answers.
type jury struct {
	eng     *runnel.Engine
	program []string // that submits
	first   uint64   // seed
	end     func()   // of all disturbance
	places  chan struct{}
	calm    context.Context //nolint:containedctx // ends when what is in progress has taken too long
	all     sync.WaitGroup

	mu    sync.Mutex
	runs  int
	wrong []error
}

// submit has batches submitted until over ends.
func (j *jury) submit(over context.Context) {
	for n := j.first; ; n += batch {
		for range batch {
			select {
			case j.places <- struct{}{}:
			case <-over.Done():
				return
			}
		}
		ids, err := j.batch(n)
		for range batch - len(ids) {
			<-j.places
		}
		for i, id := range ids {
			j.all.Go(func() {
				j.look(id, n+uint64(i))
				<-j.places
			})
		}
		if err != nil && over.Err() == nil {
			fmt.Println("submitting again, since it failed:", err)
		}
	}
}

// batch has one process submit, and gives the ids of the runs that it made. It
// may fail, as when the database is restarted; what it said exists.
func (j *jury) batch(seed uint64) (ids []string, err error) {
	args := append(j.program[1:len(j.program):len(j.program)], "-first", fmt.Sprint(seed), "-n", fmt.Sprint(batch))
	out, err := exec.CommandContext(j.calm, j.program[0], args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "run" {
			ids = append(ids, f[1])
		}
	}
	return ids, err
}

// look waits for a run, and holds its answer to the plain one.
func (j *jury) look(id string, seed uint64) {
	run, err := j.find(id)
	var got int
	if err == nil {
		got, err = run.Wait(j.calm)
	}
	if want := work.Random(seed).Answer(work.Begin); err == nil && got != want {
		err = fmt.Errorf("gave %d, want %d", got, want)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.runs++
	if err != nil {
		j.wrong = append(j.wrong, fmt.Errorf("run %s of seed %d: %w", id, seed, errors.Join(err, context.Cause(j.calm))))
		j.end()
	}
}

// find gives a run. The database may be away for a moment, of which whoever asks
// is told at once; only who waits for a run's end waits for that too.
func (j *jury) find(id string) (*runnel.Run[int], error) {
	for {
		run, err := j.eng.Attach[int](j.calm, id)
		if !errors.Is(err, runnel.ErrStore) {
			return run, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-j.calm.Done():
			return nil, err
		}
	}
}
