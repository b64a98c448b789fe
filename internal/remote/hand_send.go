package remote

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// How much is sent in one request.
const (
	sendMost  = 500
	sendBytes = 2 << 20
)

// send sends what bodies wrote, made and answered: all that has come up while the
// request before was on its way.
func (h *Hand) send() {
	var tries backoff
	for {
		h.mu.Lock()
		lines, out, beats, change := h.lines, h.out, h.beats, h.change
		h.lines, h.out, h.beats, h.sending = nil, nil, make(map[string]bool), len(lines)
		h.mu.Unlock()
		if len(lines)+len(out)+len(beats) == 0 {
			select {
			case <-change:
			case <-h.ctx.Done():
				return
			}
			continue
		}
		h.sendBeats(beats)
		if err := h.sendLines(lines); err == nil {
			lines = nil
			out = h.sendAnswers(out, &tries)
		} else {
			h.complain(&tries, "log lines can't be sent", err)
		}
		h.mu.Lock()
		h.lines, h.out, h.sending = append(lines, h.lines...), append(out, h.out...), 0
		h.ring()
		h.mu.Unlock()
		if h.ctx.Err() != nil {
			return
		}
	}
}

// sendBeats says which bodies make progress. If that does not arrive, the next one
// may.
func (h *Hand) sendBeats(beats map[string]bool) {
	h.mu.Lock()
	id := h.id
	h.mu.Unlock()
	if len(beats) == 0 || id == "" {
		return
	}
	list := slices.Sorted(maps.Keys(beats))
	ctx, cancel := context.WithTimeout(h.ctx, beatEvery)
	defer cancel()
	sent := time.Now()
	if out, err := h.server.Heartbeat(ctx, id, Heartbeat{Attempts: list, Progress: list}); err == nil {
		h.heed(&out, sent)
	}
}

// sendLines sends log lines, by the id that the worker had when they were written.
func (h *Hand) sendLines(lines []AttemptLine) error {
	for len(lines) > 0 {
		n, size := 0, 0
		of := h.registeredAs(lines[0].Attempt)
		for n < len(lines) && n < sendMost && size < sendBytes && h.registeredAs(lines[n].Attempt) == of {
			size += len(lines[n].Text) + 100
			n++
		}
		err := h.server.WriteLogs(h.ctx, of, lines[:n])
		if err != nil && !answered(err) {
			return err
		}
		if err != nil && !errors.Is(err, ErrWorkerLost) {
			h.log.Warn("the server refuses log lines", "lines", n, "error", err)
		}
		lines = lines[n:]
	}
	return nil
}

// registeredAs gives the worker's id that is part of an attempt's.
func (h *Hand) registeredAs(attempt string) string {
	for i := range attempt {
		if attempt[i] == '.' {
			return attempt[:i]
		}
	}
	return attempt
}

// sendAnswers sends answers, and gives those that have to be sent again.
func (h *Hand) sendAnswers(out []*attempt, tries *backoff) (left []*attempt) {
	for len(out) > 0 {
		n, size := 0, 0
		for n < len(out) && n < sendMost && (n == 0 || size+out[n].size() < sendBytes) && out[n].of == out[0].of {
			size += out[n].size()
			n++
		}
		err := h.sendBatch(out[:n])
		switch {
		case err == nil:
			tries.done()
		case answered(err) && n > 1: // one of them is at fault
			for _, a := range out[:n] {
				if err := h.sendBatch([]*attempt{a}); err != nil {
					left = append(left, h.refused(a, err)...)
				}
			}
		case answered(err):
			left = append(left, h.refused(out[0], err)...)
		default:
			h.complain(tries, "answers can't be sent", err)
			return append(left, out...)
		}
		out = out[n:]
	}
	return left
}

func (a *attempt) size() int {
	f := a.answer
	size := 300 + len(f.Result) + len(f.State) + len(f.Keyed) + len(f.Pipeline)
	if f.Failure != nil {
		size += len(f.Failure.Message) + len(f.Failure.Stack)
	}
	return size
}

// sendBatch sends answers in one request. Those that were taken are over.
func (h *Hand) sendBatch(batch []*attempt) error {
	all := make([]Finish, len(batch))
	for i, a := range batch {
		all[i] = *a.answer
	}
	settled, err := h.server.FinishTasks(h.ctx, batch[0].of, all)
	if err != nil {
		return err
	}
	late := 0
	h.mu.Lock()
	for _, s := range settled {
		if s.Code != "" {
			late++
			delete(h.hooked, s.Attempt)
		}
		delete(h.running, s.Attempt)
	}
	h.ring()
	h.mu.Unlock()
	if late > 0 {
		h.log.Warn("answers came too late and change nothing", "answers", late)
	}
	return nil
}

// refused has an attempt fail whose answer the server does not take, such as one that
// is too large. If it does not take that either, the lease runs out.
func (h *Hand) refused(a *attempt, err error) (again []*attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.answer.NoRetry && a.answer.Failure != nil && a.answer.Failure.Code == api.ErrEncoding.Code {
		h.log.Error("the server does not take an answer", "attempt", a.id, "error", err)
		delete(h.running, a.id)
		return nil
	}
	a.answer = &Finish{Attempt: a.id, NoRetry: true, Failure: &AttemptFailure{
		Type: "*api.Error", Code: api.ErrEncoding.Code, Message: "the server does not take the answer: " + err.Error(),
	}}
	return []*attempt{a}
}
