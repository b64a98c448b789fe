package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// verdict walks through a ledger and collects what should not be.
type verdict struct {
	openings int
	bodies   int // attempts that began, each counted once
	twice    int // of these, how many began more than once
	vain     int // bodies that ran, and whose task runs the database does not have
	lost     int // committed ends that are gone
	doubled  int // ends that were committed twice
	broken   []string

	together bool            // several processes run at a time
	gone     int             // processes that died
	late     map[string]bool // processes that stood still for a while
	process  string          // that runs since the last opening, "" before its first line
	line     int
	tasks    map[string]*history // by task run id
}

// history is what the ledger says of one task run.
type history struct {
	task     string
	attempts map[int]*attempt
	seen     int     // opening at which the database had it, 0 never
	was      taskRun // what the database had then
}

// attempt is one execution of a body, or several with a crash in between.
type attempt struct {
	starts  int
	by      string // process, in which it began last
	gone    int    // how many processes had died when it began last
	started int    // opening after which it began last
	ended   int    // opening after which it ended last, 0 never
	ends    int
	outcome string // of the last end
	ok, bad bool   // how it ended, whichever time
}

func newVerdict() *verdict {
	return &verdict{tasks: map[string]*history{}, late: map[string]bool{}}
}

func (v *verdict) breach(format string, args ...any) {
	v.broken = append(v.broken, fmt.Sprintf(format, args...))
}

// openings counts the openings noted in a ledger.
func openings(r io.Reader) (n int, err error) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		if strings.HasPrefix(s.Text(), "open ") {
			n++
		}
	}
	return n, s.Err()
}

// read goes through the ledger line by line.
func (v *verdict) read(r io.Reader) error {
	s := bufio.NewScanner(r)
	for s.Scan() {
		v.line++
		f := strings.Fields(s.Text())
		var err error
		switch {
		case len(f) == 2 && f[0] == "open":
			v.opened()
		case len(f) == 1 && f[0] == "together":
			v.together = true
		case len(f) == 2 && f[0] == "gone":
			v.gone++
		case len(f) == 2 && f[0] == "late":
			v.late[f[1]] = true
		case len(f) == 6 && f[0] == "committed":
			err = v.committed(f[1], f[2], f[3:])
		case len(f) == 5 && f[0] == "start":
			err = v.start(f[1], f[2], f[3], f[4])
		case len(f) == 6 && f[0] == "end" && (f[5] == "ok" || f[5] == "error"):
			err = v.end(f[1], f[2], f[3], f[4], f[5])
		default:
			err = fmt.Errorf("is of no kind that is known: %q", s.Text())
		}
		if err != nil {
			return fmt.Errorf("ledger line %d: %w", v.line, err)
		}
	}
	v.vanished()
	return s.Err()
}

// of gives the history of a task run and holds it to one task.
func (v *verdict) of(id, task string) *history {
	h := v.tasks[id]
	if h == nil {
		h = &history{task: task, attempts: map[int]*attempt{}}
		v.tasks[id] = h
	}
	if h.task != task {
		v.breach("line %d: task run %s is of %q and of %q", v.line, id, h.task, task)
	}
	return h
}

func (v *verdict) opened() {
	v.vanished()
	v.openings++
	v.process = ""
	if !v.together { // the process before this opening has died
		v.gone++
	}
}

// vanished looks for what the database held at the opening before this one, and
// no longer at this.
func (v *verdict) vanished() {
	for _, id := range slices.Sorted(maps.Keys(v.tasks)) {
		if h := v.tasks[id]; h.seen > 0 && h.seen < v.openings {
			v.lost++
			v.breach("opening %d: the committed end of %s %s is gone", v.openings, h.task, id)
			h.seen = 0 // once is enough
		}
	}
}

// committed takes what the database held at this opening.
func (v *verdict) committed(id, task string, numbers []string) error {
	var now taskRun
	if _, err := fmt.Sscan(strings.Join(numbers, " "), &now.attempts, &now.state, &now.sum); err != nil {
		return err
	}
	v.found(id, task, now)
	return nil
}

// found holds a row of the database to what it was before, and to the ledger.
func (v *verdict) found(id, task string, now taskRun) {
	h := v.of(id, task)
	was := h.was
	switch {
	case h.seen == 0:
	case was.state >= completed && (now.state != was.state || now.attempts != was.attempts || now.sum != was.sum):
		v.doubled++
		v.breach("opening %d: %s %s had ended already, in state %d at attempt %d; now it is in state %d at attempt %d: a second end",
			v.openings, task, id, was.state, was.attempts, now.state, now.attempts)
	case now.attempts < was.attempts:
		v.lost++
		v.breach("opening %d: %s %s had %d attempts behind it, now %d", v.openings, task, id, was.attempts, now.attempts)
	}
	h.seen, h.was = v.openings, now
	for n := was.attempts + 1; n <= now.attempts; n++ {
		ok := n == now.attempts && now.state == completed
		if a := h.attempts[n]; a == nil || !v.noted(a, ok) {
			v.breach("opening %d: attempt %d of %s %s is committed as %s, but the last process noted no such end", v.openings, n, task, id, outcome(ok))
		}
	}
}

// noted reports whether an end that was committed since the last opening is in
// the ledger. One process at a time: then it is the end that it noted last.
func (v *verdict) noted(a *attempt, ok bool) bool {
	if v.together {
		return ok && a.ok || !ok && a.bad
	}
	return a.ended == v.openings-1 && a.outcome == outcome(ok)
}

func outcome(ok bool) string {
	if ok {
		return "ok"
	}
	return "error"
}

// start is a body that begins.
func (v *verdict) start(process, id, task, number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	v.belongs(process)
	h := v.of(id, task)
	if n <= h.was.attempts && !v.late[process] {
		v.breach("line %d: attempt %d of %s %s runs, though its end was committed when the file was opened", v.line, n, task, id)
	}
	if n > 1 && n > h.was.attempts+1 {
		if before := h.attempts[n-1]; before == nil || !before.bad || !v.together && (before.ended != v.openings || before.outcome != "error") {
			v.breach("line %d: attempt %d of %s %s runs, though the one before it has not failed", v.line, n, task, id)
		}
	}
	a := h.attempts[n]
	if a == nil {
		a = &attempt{}
		h.attempts[n] = a
		v.bodies++
	}
	if a.starts > 0 && a.gone == v.gone && !v.late[process] && !v.late[a.by] {
		v.breach("line %d: attempt %d of %s %s runs twice in one process, or though none has died", v.line, n, task, id)
	}
	if a.starts == 1 {
		v.twice++
	}
	a.starts++
	a.started, a.gone, a.by = v.openings, v.gone, process
	return nil
}

// end is a body that has ended.
func (v *verdict) end(process, id, task, number, outcome string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	v.belongs(process)
	a := v.of(id, task).attempts[n]
	switch {
	case a == nil || !v.together && a.started != v.openings:
		v.breach("line %d: attempt %d of %s %s ends, but has not begun", v.line, n, task, id)
		return nil
	case !v.together && a.ended == v.openings, a.ends == a.starts:
		v.breach("line %d: attempt %d of %s %s ends twice", v.line, n, task, id)
	}
	a.ends++
	a.ended, a.outcome = v.openings, outcome
	a.ok, a.bad = a.ok || outcome == "ok", a.bad || outcome != "ok"
	return nil
}

// belongs holds a line to the one process that was announced by an opening.
func (v *verdict) belongs(process string) {
	switch {
	case v.together:
	case v.openings == 0:
		v.breach("line %d: a body ran before the first opening was noted", v.line)
	case v.process != "" && v.process != process:
		v.breach("line %d: process %s runs bodies beside process %s", v.line, process, v.process)
	}
	v.process = process
}

// conclude holds the ledger to what the database says in the end.
func (v *verdict) conclude(end *database) {
	v.openings++ // the last look is one more
	v.broken = append(v.broken, end.wrong...)
	if len(end.runs) == 0 {
		v.breach("the database has no run")
	}
	for id, state := range end.runs {
		if state != completed {
			v.breach("run %s is in state %d, not COMPLETED", id, state)
		}
	}
	rows := map[string]bool{}
	for _, t := range end.tasks {
		if rows[t.id] {
			v.breach("task run %s has two rows", t.id)
		}
		rows[t.id] = true
		if t.state < completed || t.state == cancelled {
			v.breach("%s %s is in state %d in the end", t.task, t.id, t.state)
		}
		v.found(t.id, t.task, t)
	}
	v.vanished()
	v.openings--
	for id, h := range v.tasks {
		switch {
		case rows[id]:
		case v.together && v.gone > 0:
			v.vain++
		default:
			v.breach("a body of %s %s ran, but the database has no such task run", h.task, id)
		}
	}
}
