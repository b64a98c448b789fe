package worker

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Logger gives a logger whose lines are kept with the run.
func (b *Body) Logger() *slog.Logger {
	out := &lines{body: b}
	text := slog.NewTextHandler(&out.buf, &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(&lineHandler{out: out, text: text})
}

// lines is where the handlers of one logger write, one at a time.
type lines struct {
	body *Body
	mu   sync.Mutex
	buf  bytes.Buffer
}

// lineHandler makes a line of a record: the message, then the attributes as
// slog's text handler writes them.
type lineHandler struct {
	out  *lines
	text slog.Handler
}

func (h *lineHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lineHandler{h.out, h.text.WithAttrs(attrs)}
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	return &lineHandler{h.out, h.text.WithGroup(name)}
}

func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	text, level := r.Message, r.Level.String()
	at := r.Time
	r.Message, r.Time = "", time.Time{}
	attrs, err := h.attrs(ctx, r)
	if err != nil {
		return err
	}
	attrs = strings.TrimPrefix(attrs, "level="+level+` msg=""`)
	h.out.body.log(at, level, text+strings.TrimRight(attrs, "\n"))
	return nil
}

// log keeps a line with the run.
func (b *Body) log(at time.Time, level, text string) {
	if b.told != nil { // the attempt's log is closed
		var l slog.Level
		_ = l.UnmarshalText([]byte(level)) // it is one
		b.registry.Log.Log(b, l, text, "task", b.job.Task, "task_run", b.job.ID)
		return
	}
	b.source.Log(b.job, api.LogLine{
		TaskRun: b.job.ID, Task: b.job.Task, Attempt: b.job.Attempt, Time: at, Level: level, Text: text,
	})
}

func (h *lineHandler) attrs(ctx context.Context, r slog.Record) (string, error) {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.buf.Reset()
	err := h.text.Handle(ctx, r)
	return h.out.buf.String(), err
}
