package sqlite

import "github.com/runnel-dev/runnel/internal/store"

// stageLogs numbers the lines of a transition, whose run was entered.
func (w *writer) stageLogs(t *store.Transition) error {
	b := &w.batch
	m := &b.runs[b.lastRun].mark
	if m.lines < 0 {
		var err error
		if m.lines, _, _, err = w.pair(w.selectLine, t.Run); err != nil {
			return err
		}
	}
	for i := range t.Logs {
		m.lines++
		b.logs = append(b.logs, logOp{t.Run, m.lines, &t.Logs[i].LogLine})
	}
	return nil
}
