package graphview

import (
	"slices"
	"strconv"

	"github.com/runnel-dev/runnel/api"
)

// counts gives nodes that stand for several the numbers that the run keeps.
func (r *filled) counts() {
	r.source()
	open := make(map[string]Counts)
	for i := range r.rows {
		row := &r.rows[i]
		if s := StateOf(row.State, row.StateName); s.Open() || s == Crashed {
			c := open[row.Task]
			c[s]++
			open[row.Task] = c
		}
	}
	tasks := make([]string, 0, len(r.Run.Tasks))
	for task := range r.Run.Tasks {
		tasks = append(tasks, task)
	}
	for task := range open {
		if _, both := r.Run.Tasks[task]; !both {
			tasks = append(tasks, task)
		}
	}
	slices.Sort(tasks)
	for _, task := range tasks {
		ended := r.Run.Tasks[task]
		c := open[task]
		c[Completed] += ended.Completed
		c[Failed] += ended.Failed
		c[Cancelled] += ended.Cancelled
		c[Skipped] += ended.Skipped
		r.count(task, c)
	}
}

// count gives a task's numbers to the node that stands for all its task runs.
func (r *filled) count(task string, c Counts) {
	seats := r.bySeat[task]
	if len(seats) == 0 {
		r.countStrangers(task, c)
		return
	}
	total := c.Total()
	if r.listed(task, total) {
		r.countSeated(seats)
		return
	}
	if len(seats) > 1 || total <= 1 && !r.many(&r.g.Nodes[seats[0]]) {
		r.countSteps(task, seats, c)
		return
	}
	n := &r.g.Nodes[seats[0]]
	known := n.Counts[Planned]
	n.Counts = c
	if left := known - total; left > 0 {
		n.Counts[Planned] = left
	}
}

// listed reports whether all task runs of a task are, each with where it comes from.
func (r *filled) listed(task string, total int64) bool { return r.sources[task] == total }

// source counts the rows of tasks that say where they come from.
func (r *filled) source() {
	r.sources = make(map[string]int64)
	for i := range r.rows {
		row := &r.rows[i]
		if _, known := r.placed(row); !known && row.Caller == "" {
			r.sources[row.Task] = -1 << 31 // others don't make it whole
		}
		r.sources[row.Task]++
	}
}

// countSeated gives steps that stand for several the numbers of the rows there.
func (r *filled) countSeated(seats []int) {
	for _, i := range seats {
		n := &r.g.Nodes[i]
		if !r.many(n) {
			continue
		}
		known, c := n.Counts[Planned], r.seated[i]
		n.Counts = c
		if left := known - c.Total(); left > 0 {
			n.Counts[Planned] = left
		}
	}
}

// countSteps says of steps that are there once each what the numbers tell, if
// there is anything that the rows have not told.
func (r *filled) countSteps(task string, seats []int, c Counts) {
	waiting := slices.ContainsFunc(seats, func(i int) bool { return r.g.Nodes[i].State == Planned })
	switch total := c.Total(); {
	case total == 0 || !waiting:
	case total == int64(len(seats)) && total == c[c.state()] && !r.unclear[task]:
		for _, i := range seats {
			r.g.Nodes[i].State = c.state()
		}
	case len(seats) > 1:
		r.unclear[task] = true
		for _, i := range seats {
			if r.g.Nodes[i].State == Planned {
				r.g.Nodes[i].State = Unknown
			}
			for s, n := range r.seated[i] {
				c[s] -= min(n, c[s])
			}
		}
		r.countStrangers(task, c)
	}
}

// countStrangers adds a node for those of a task that are not listed.
func (r *filled) countStrangers(task string, c Counts) {
	in, seq := "", int64(r.planned)
	for _, i := range r.strange {
		row := &r.rows[i]
		if row.Task == task {
			seq = max(seq, int64(r.planned)+row.Seq)
			c[counted(row)] -= min(1, c[counted(row)])
		}
	}
	if c.Total() == 0 {
		return
	}
	if r.planned == 1 && r.g.Nodes[0].Task != "" {
		in = r.g.Nodes[0].ID
		if r.g.Nodes[0].Kind == Task {
			r.g.Nodes[0].Kind = SubRun
		}
	}
	r.g.Nodes = append(r.g.Nodes, Node{
		ID: "tasks[" + strconv.Quote(task) + "]", Task: task, Name: task, In: in, Index: -1, Seq: seq, Counts: c,
	})
}

// counted is the state that a row counts as.
func counted(row *api.TaskRun) State {
	s := StateOf(row.State, row.StateName)
	if s == Cached {
		s = Completed
	}
	return s
}
