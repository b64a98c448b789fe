package runnel

import (
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flow"
)

// batch is what the three batch types have in common.
type batch struct {
	task     handle
	size     int
	switches []KillSwitch
	sliding  bool
}

// Batch1 maps a task with one argument in batches.
type Batch1[A, R any] struct{ batch batch }

// Batch2 maps a task with two arguments in batches.
type Batch2[A, B, R any] struct{ batch batch }

// Batch3 maps a task with three arguments in batches.
type Batch3[A, B, C, R any] struct{ batch batch }

// NewBatch wraps a task so that Map calls it for so many elements at a time: the
// next batch begins when all of the last one has ended. When a switch trips, the
// calls in progress are cancelled, no further ones are made, and Map fails with
// ErrKillSwitch. It is seed 003's BatchTask.
func NewBatch[T interface {
	batch(size int, switches []KillSwitch) B
}, B any](task T, size int, switches ...KillSwitch) B {
	return task.batch(size, switches)
}

func (t Task1[A, R]) batch(size int, switches []KillSwitch) Batch1[A, R] {
	return Batch1[A, R]{batch{t.handle, size, switches, false}}
}

func (t Task2[A, B, R]) batch(size int, switches []KillSwitch) Batch2[A, B, R] {
	return Batch2[A, B, R]{batch{t.handle, size, switches, false}}
}

func (t Task3[A, B, C, R]) batch(size int, switches []KillSwitch) Batch3[A, B, C, R] {
	return Batch3[A, B, C, R]{batch{t.handle, size, switches, false}}
}

// Sliding keeps the batch's size in progress: a call begins whenever one ends.
func (b Batch1[A, R]) Sliding() Batch1[A, R] {
	b.batch.sliding = true
	return b
}

// Sliding keeps the batch's size in progress: a call begins whenever one ends.
func (b Batch2[A, B, R]) Sliding() Batch2[A, B, R] {
	b.batch.sliding = true
	return b
}

// Sliding keeps the batch's size in progress: a call begins whenever one ends.
func (b Batch3[A, B, C, R]) Sliding() Batch3[A, B, C, R] {
	b.batch.sliding = true
	return b
}

// Map calls the task for each element and gives the calls, all of which have
// ended, in order. If a switch tripped, they are those that were made.
func (b Batch1[A, R]) Map[X Mapped[A]](f Flow, xs X, opts ...SubmitOption) (*Futures[R], error) {
	return mapBatch[R](f, &b.batch, []source{sourceOf[A](f, xs)}, opts)
}

// Map calls the task for each pair of elements; see [Batch1.Map].
func (b Batch2[A, B, R]) Map[X Mapped[A], Y Mapped[B]](f Flow, xs X, ys Y, opts ...SubmitOption) (*Futures[R], error) {
	return mapBatch[R](f, &b.batch, []source{sourceOf[A](f, xs), sourceOf[B](f, ys)}, opts)
}

// Map calls the task for each triple of elements; see [Batch1.Map].
func (b Batch3[A, B, C, R]) Map[X Mapped[A], Y Mapped[B], Z Mapped[C]](f Flow, xs X, ys Y, zs Z, opts ...SubmitOption) (*Futures[R], error) {
	return mapBatch[R](f, &b.batch, []source{sourceOf[A](f, xs), sourceOf[B](f, ys), sourceOf[C](f, zs)}, opts)
}

// problem gives why the batch can't be mapped.
func (b *batch) problem(f Flow, sources []source) error {
	if b.size < 1 {
		return api.Errorf(ErrInvalid, "", "task %q: a batch of %d; want 1 or more", b.task.Name(), b.size)
	}
	for _, k := range b.switches {
		if k == nil {
			return api.Errorf(ErrInvalid, "", "task %q: a kill switch is nil", b.task.Name())
		}
		if err := k.Err(); err != nil {
			return err
		}
	}
	return mappable(b.task.Name(), f, sources)
}

func mapBatch[R any](f Flow, b *batch, sources []source, opts []SubmitOption) (*Futures[R], error) {
	defer stopAll(sources)
	m := &mapping[R]{f: f, batch: b, sources: sources, opts: opts, out: &Futures[R]{list: []*Future[R]{}}}
	if m.out.err = b.problem(f, sources); m.out.err != nil {
		return m.out, m.out.err
	}
	for _, k := range b.switches {
		m.counting = append(m.counting, k.begin())
	}
	s := f.scope()
	m.race = s.run.Race(s.keys, s.deadline, nil)
	for m.more = true; m.more || m.flying > 0; {
		if err := m.fill(); err != nil {
			return m.out, err
		}
		if err := m.land(); err != nil {
			return m.out, err
		}
	}
	return m.out, nil
}

// mapping is a Map in batches.
type mapping[R any] struct {
	f        Flow
	batch    *batch
	sources  []source
	opts     []SubmitOption
	out      *Futures[R]
	counting []counting
	counts   api.BatchCounts
	race     *flow.Race
	flying   int  // calls that have not ended
	more     bool // there are elements left
}

// fill makes calls while there is room: for a sliding batch whenever one has
// ended, otherwise when all have.
func (m *mapping[R]) fill() error {
	if m.flying > 0 && !m.batch.sliding {
		return nil
	}
	for m.more && m.flying < m.batch.size {
		args, more, err := row(m.batch.task.Name(), m.sources)
		if m.more = more; err != nil || !more {
			return err
		}
		future := submitBound[R](m.f, m.batch.task, args, m.opts)
		inner, err := future.future()
		if err != nil {
			return err
		}
		m.out.list = append(m.out.list, future)
		m.race.Add(inner)
		m.flying++
	}
	return nil
}

// land waits for a call to end and asks the switches.
func (m *mapping[R]) land() error {
	if m.flying == 0 {
		return nil
	}
	i, err := m.race.Next(m.f)
	if err != nil {
		return err
	}
	m.flying--
	state := m.out.list[i].inner.Ended().State
	m.count(state)
	for _, k := range m.counting {
		if k.trips(state, m.counts) {
			return m.kill(k.name)
		}
	}
	return nil
}

// count counts a call that ended so.
func (m *mapping[R]) count(state api.State) {
	c := &m.counts
	c.Ended++
	switch state {
	case api.Completed:
		c.Completed++
	case api.Failed, api.Crashed:
		c.Failed++
	case api.Cancelled:
		c.Cancelled++
	}
}

// kill ends what is in progress.
func (m *mapping[R]) kill(name string) error {
	s := m.f.scope()
	at := m.counts
	m.counts = api.BatchCounts{}
	var left []*flow.Future
	for _, future := range m.out.list {
		if end := future.inner.Ended(); end != nil {
			m.count(end.State)
		} else {
			left = append(left, future.inner)
		}
	}
	if err := s.run.Cancel(s, left); err != nil {
		return err
	}
	c := m.counts
	return api.Errorf(ErrKillSwitch, "", "task %q: kill switch %s tripped at %d failed of %d ended: of %d calls made %d completed, %d failed, %d cancelled, %d never ran",
		m.batch.task.Name(), name, at.Failed, at.Ended,
		len(m.out.list), c.Completed, c.Failed, c.Cancelled+len(left), c.Ended-c.Completed-c.Failed-c.Cancelled)
}
