package engine

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// logFlush is how many lines of an attempt wait for the sweep at most.
const logFlush = 1000

// lines are those of an attempt.
type lines struct {
	list    []store.LogWrite // that wait for a commit
	count   int              // that were kept
	dropped int              // and not, since they were over the bound
}

// Log keeps a line with the run. See worker.Source.
func (e *Engine) Log(job *api.Job, line api.LogLine) {
	t := job.Key.(*task)
	line.Text = bounded(line.Text)
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	if t.phase == over {
		return
	}
	l := t.lines
	if l == nil {
		l = new(lines)
		t.lines = l
	}
	if l.count == api.MaxLogLines {
		l.dropped++
		return
	}
	l.count++
	l.list = append(l.list, store.LogWrite{LogLine: line})
	switch len(l.list) {
	case 1:
		e.sweep.mu.Lock()
		e.sweep.chatty = append(e.sweep.chatty, t)
		e.sweep.arm(e)
		e.sweep.mu.Unlock()
	case logFlush:
		t.pushLogs()
	}
}

// bounded gives the text of a line as it is kept.
func bounded(text string) string {
	const more = "…"
	if len(text) > api.MaxLogText {
		n := api.MaxLogText - len(more)
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n] + more
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// pushLogs commits the lines that wait, in a change of their own.
func (t *task) pushLogs() {
	if t.phase == over {
		return
	}
	if l := t.lines; len(l.list) > 0 {
		c := t.run.newChange()
		l.move(c)
		t.run.e.queue.push(c)
	}
}

// flushLogs moves the lines that wait into change c, at the end of an attempt.
func (t *task) flushLogs(c *change) {
	l := t.lines
	if l == nil {
		return
	}
	if l.dropped > 0 {
		l.list = append(l.list, store.LogWrite{LogLine: api.LogLine{
			TaskRun: t.job.ID, Task: t.job.Task, Attempt: int(t.attempt), Time: t.run.e.now(),
			Level: "WARN", Text: "dropped " + itoa(int64(l.dropped)) + " lines",
		}})
	}
	l.move(c)
	l.count, l.dropped = 0, 0
}

func (l *lines) move(c *change) {
	if len(l.list) == 0 {
		return
	}
	c.Logs = append(c.Logs, l.list...)
	l.list = nil
	c.then(c.run.lines.ring)
}

// bell wakes all who wait for something to happen once more.
type bell struct {
	mu   sync.Mutex
	next chan struct{} // nil: nobody waits
}

// wait gives what is closed when the bell is rung next.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
	b.mu.Unlock()
}

// Logs gives the lines that a run's bodies wrote, as the filter chooses.
func (e *Engine) Logs(ctx context.Context, filter api.LogFilter) iter.Seq2[api.LogLine, error] {
	return e.lines(ctx, filter, func(l *lineReader, _ *run) error { return l.read() })
}

// FollowLogs is Logs that goes on with the lines that come until the run has
// ended durably. It ends with an error if ctx ends or the engine closes before.
func (e *Engine) FollowLogs(ctx context.Context, filter api.LogFilter) iter.Seq2[api.LogLine, error] {
	return e.lines(ctx, filter, func(l *lineReader, r *run) error { return l.follow(r) })
}

func (e *Engine) lines(ctx context.Context, filter api.LogFilter, do func(*lineReader, *run) error) iter.Seq2[api.LogLine, error] {
	return func(yield func(api.LogLine, error) bool) {
		r, row, err := e.find(ctx, filter.Run)
		if err == nil {
			l := &lineReader{e: e, ctx: ctx, filter: filter, yield: yield, left: filter.Limit, run: row.ID, next: filter.From}
			if r == nil && !row.State.Final() {
				l.away = true
			}
			if r != nil {
				l.run = r.id
			}
			err = do(l, r)
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(api.LogLine{}, err)
		}
	}
}

var errStop = errors.New("engine: enough")

// lineReader gives lines of a run to whoever asked.
type lineReader struct {
	e      *Engine
	ctx    context.Context //nolint:containedctx // lives for one call
	filter api.LogFilter
	yield  func(api.LogLine, error) bool
	left   int
	run    int64
	next   int64 // number of the next line
	away   bool  // the run is live, but not here
}

// read gives the lines that are durable.
func (l *lineReader) read() error {
	return l.e.store.Logs(l.ctx, l.run, l.next, func(line api.LogLine) error {
		l.next = line.Line + 1
		if !l.filter.Chooses(&line) {
			return nil
		}
		if l.left--; !l.yield(line, nil) || l.left == 0 {
			return errStop
		}
		return nil
	})
}

// follow reads again whenever there may be more. r is nil if the run is not
// live here.
func (l *lineReader) follow(r *run) error {
	if r == nil {
		return l.followAway()
	}
	ended := r.handle.wait()
	for last := false; ; {
		// What is committed after this is heard of.
		more := r.lines.wait()
		select {
		case <-ended:
			last = true
		default:
		}
		if err := l.read(); err != nil {
			return err
		}
		if last {
			return r.handle.err
		}
		select {
		case <-more:
		case <-ended:
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
	}
}

// followAway is follow of a run that is not live here.
func (l *lineReader) followAway() error {
	for l.away {
		if err := l.read(); err != nil {
			return err
		}
		err := l.e.wherever(l.ctx, l.filter.Run, askLines, linesRequest{l.filter.Run, l.next}, nil, func(r *run, _ *store.RunRow) error {
			l.away = false
			if r != nil {
				return l.follow(r)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return l.read()
}
