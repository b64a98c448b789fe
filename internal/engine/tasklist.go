package engine

import (
	"iter"
	"math/bits"
)

// taskList is the live tasks of a run, linked so that adding and removing cost
// no memory. While they are few, one is found by walking them; once somebody has
// looked for one of many, they hang on buckets by their numbers as well.
type taskList struct {
	first   *task // the newest
	last    *task
	n       int
	buckets []*task // a power of two of them; nil until they are needed
}

// walked is how many tasks are walked to find one.
const walked = 16

func (l *taskList) add(t *task) {
	if t.listed {
		return
	}
	t.listed = true
	t.next = l.first
	if l.first != nil {
		l.first.prev = t
	} else {
		l.last = t
	}
	l.first = t
	l.n++
	switch {
	case l.buckets == nil:
	case l.n > len(l.buckets):
		l.grow()
	default:
		l.hang(t)
	}
}

func (l *taskList) grow() {
	l.buckets = make([]*task, 2<<bits.Len(uint(l.n)))
	for t := range l.all() {
		l.hang(t)
	}
}

// bucket scatters: children that are chains have numbers in steps of 16.
func (l *taskList) bucket(seq int64) **task {
	const golden = 0x9e3779b97f4a7c15
	return &l.buckets[uint64(seq)*golden>>(64-bits.TrailingZeros(uint(len(l.buckets))))]
}

func (l *taskList) hang(t *task) {
	b := l.bucket(t.seq)
	t.peer, *b = *b, t
}

func (l *taskList) remove(t *task) {
	if !t.listed {
		return
	}
	t.listed = false
	l.n--
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		l.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		l.last = t.prev
	}
	if l.buckets != nil {
		at := l.bucket(t.seq)
		for *at != t {
			at = &(*at).peer
		}
		*at = t.peer
	}
	t.prev, t.next, t.peer = nil, nil, nil
}

// find gives the task with a number, nil if it is not live.
func (l *taskList) find(seq int64) *task {
	if l.buckets == nil && l.n > walked {
		l.grow()
	}
	if l.buckets == nil {
		for t := range l.all() {
			if t.seq == seq {
				return t
			}
		}
		return nil
	}
	t := *l.bucket(seq)
	for t != nil && t.seq != seq {
		t = t.peer
	}
	return t
}

// all walks the tasks; the one at hand may be removed.
func (l *taskList) all() iter.Seq[*task] {
	return func(yield func(*task) bool) {
		for t := l.first; t != nil; {
			next := t.next
			if !yield(t) {
				return
			}
			t = next
		}
	}
}

// some is all if they are no more than so many; else half as many of the oldest,
// and of the newest.
func (l *taskList) some(most int) iter.Seq[*task] {
	if l.n <= most {
		return l.all()
	}
	return func(yield func(*task) bool) {
		oldest, newest := l.last, l.first
		for range most / 2 {
			if !yield(oldest) || !yield(newest) {
				return
			}
			oldest, newest = oldest.prev, newest.next
		}
	}
}

// going is all but those whose end is only not durable yet.
func (l *taskList) going() iter.Seq[*task] {
	return func(yield func(*task) bool) {
		for t := range l.all() {
			if t.phase != over && !yield(t) {
				return
			}
		}
	}
}
