package flow

import "sync/atomic"

// named is how many of those that a call waits for are named.
const named = 10

// waiting is a call that waits for others.
type waiting struct {
	f    *Future
	left *atomic.Int64
	on   []*Future // but for some that have ended
}

// still says what the call still waits for. It passes over each that has ended
// once, however often it is asked.
func (w *waiting) still() (ids []string, count int, waits bool) {
	if !w.f.open() {
		return nil, 0, false
	}
	open, i := 0, 0
	for ; i < len(w.on) && open < named; i++ {
		f := w.on[i]
		if !f.open() {
			continue
		}
		w.on[open] = f
		open++
		if id := f.shown(); id != "" {
			ids = append(ids, id)
		}
	}
	first := w.on[:open]
	w.on = w.on[i-open:]
	copy(w.on, first)
	return ids, min(int(w.left.Load()), len(w.on)), true
}

// shown is what the call is listed as.
func (f *Future) shown() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.id != "" {
		return f.id
	}
	return f.place
}
