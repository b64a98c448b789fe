package runnel

import (
	"context"
	"io"
	"iter"
	"log/slog"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Logger gives a logger whose lines are kept with the run, the task run and the
// attempt; read them with [Engine.Logs]. Of one attempt [api.MaxLogLines] are
// kept, of one line [api.MaxLogText] bytes; what is over it is counted in the
// attempt's last line, or cut. A line that is not to be kept goes to a logger of
// one's own. Outside a task it is slog.Default.
func Logger(ctx context.Context) *slog.Logger {
	if b := worker.From(ctx); b != nil {
		return b.Logger()
	}
	return slog.Default()
}

// LogWriter gives a writer for what is printed: each line of it is one of
// [Logger] at level INFO. What follows the last end of a line is one when the
// body ends, after which writing fails. All writers of a body are the same.
// Outside a task the lines go to slog.Default, each when it ends.
func LogWriter(ctx context.Context) io.Writer {
	if b := worker.From(ctx); b != nil {
		return b.LogWriter()
	}
	return worker.NewPrinter(func(line string) { slog.InfoContext(ctx, line) })
}

// Logs lists the lines that the bodies of a run wrote with [Logger] and
// [LogWriter], in order. Each has a number within its run, from 1 without gaps.
func (e *Engine) Logs(ctx context.Context, filter api.LogFilter) iter.Seq2[api.LogLine, error] {
	return e.service().Logs(ctx, filter)
}

// FollowLogs is [Engine.Logs] that goes on with new lines as they become
// durable, until the run has ended. If ctx ends or the engine is closed before,
// it ends with an error.
func (e *Engine) FollowLogs(ctx context.Context, filter api.LogFilter) iter.Seq2[api.LogLine, error] {
	return e.service().FollowLogs(ctx, filter)
}
