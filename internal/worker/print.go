package worker

import (
	"bytes"
	"io"
	"log/slog"
	"sync"

	"github.com/runnel-dev/runnel/api"
)

// Printer is a writer that cuts what is written into lines. Of a line it holds
// no more than is kept.
type Printer struct {
	line func(string)

	mu     sync.Mutex
	buf    []byte // the line that has not ended, one byte more than is kept at most
	closed bool
}

// NewPrinter makes a printer that calls line for each line.
func NewPrinter(line func(string)) *Printer { return &Printer{line: line} }

// Write takes part of a line, or several.
func (p *Printer) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, api.Errorf(api.ErrClosed, "", "the task's body has ended")
	}
	for rest := data; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte{'\n'})
		room := api.MaxLogText + 1 - len(p.buf)
		p.buf = append(p.buf, part[:min(len(part), room)]...)
		if rest = after; ended {
			p.end()
		}
	}
	return len(data), nil
}

func (p *Printer) end() {
	p.line(string(bytes.TrimSuffix(p.buf, []byte{'\r'})))
	p.buf = p.buf[:0]
}

// close makes a line of what is left.
func (p *Printer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed = true; len(p.buf) > 0 {
		p.end()
	}
}

// LogWriter gives the writer whose lines are kept with the run.
func (b *Body) LogWriter() io.Writer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.printer == nil {
		b.printer = NewPrinter(func(text string) { b.log(b.registry.Now(), slog.LevelInfo.String(), text) })
		b.printer.closed = b.ended
	}
	return b.printer
}
