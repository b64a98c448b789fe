package graphview

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Facts is what is known of a run.
type Facts struct {
	Run api.Run
	// Spec is its pipeline; nil if that is not known.
	Spec *api.Spec
	// TaskRuns need not be all: how many there are that have ended, Run.Tasks says.
	// Those that have not, and those that failed, are enough for a collapsed graph.
	TaskRuns []api.TaskRun
	// Usual is how long each task runs as a rule; those that nobody knows are left out.
	Usual map[string]time.Duration
	// Now is the time until which what runs has run; zero: not shown.
	Now time.Time
}

// FromRun gives the graph of a run: its pipeline, with what has become of it.
//
// Children of a group that look the same are one node with a count, as in [FromPlan]
// those of large groups. A task run belongs to the step at its Place, or to what called
// it. Of one that says neither the place follows from its task: where several steps call
// that, they are filled in the order of the pipeline if there are as many of them as
// task runs, and else it stands at the end, with all others that the pipeline does not
// explain. What is counted and not listed is shown so too.
func FromRun(f *Facts) *Graph {
	g := &Graph{}
	var p *planned
	if f.Spec != nil {
		p = planOf("", f.Spec, 1)
		g = p.g
	}
	g.Name = cmp.Or(f.Run.Name, f.Run.ID)
	g.State = StateOf(f.Run.State, "")
	r := &filled{
		Facts: f, g: g, plan: p, planned: len(g.Nodes), ids: make(map[string]string, len(f.TaskRuns)), unclear: make(map[string]bool),
		seated: make(map[int]Counts),
	}
	r.rows = slices.Clone(f.TaskRuns)
	slices.SortStableFunc(r.rows, func(a, b api.TaskRun) int { return cmp.Compare(a.Seq, b.Seq) })
	r.seats()
	for task, rows := range r.byTask() {
		r.fill(task, rows)
	}
	r.strangers()
	r.counts()
	r.upstream()
	r.settle()
	for i := range g.Nodes {
		g.Nodes[i].Usual = f.Usual[g.Nodes[i].Task]
	}
	return g
}

// filled is the graph of a run in the making.
type filled struct {
	*Facts
	g       *Graph
	plan    *planned // nil: not known
	planned int      // how many nodes the pipeline has
	rows    []api.TaskRun
	byID    map[string]int   // the nodes of the pipeline
	bySeat  map[string][]int // by task, the nodes of the pipeline that call it
	ids     map[string]string
	strange []int            // rows that the pipeline does not explain
	seated  map[int]Counts   // of nodes, those of the rows there
	sources map[string]int64 // by task, the rows that say where they come from; negative if one does not
	unclear map[string]bool  // tasks of which it can't be told which step made what
}

// seats finds what calls what.
func (r *filled) seats() {
	r.bySeat, r.byID = make(map[string][]int), make(map[string]int, len(r.g.Nodes))
	for i := range r.g.Nodes {
		r.byID[r.g.Nodes[i].ID] = i
		if task := r.g.Nodes[i].Task; task != "" {
			r.bySeat[task] = append(r.bySeat[task], i)
		}
	}
}

// byTask yields the rows of each task, the tasks in the order of their first row.
func (r *filled) byTask() func(yield func(string, []int) bool) {
	rows := make(map[string][]int)
	var order []string
	for i := range r.rows {
		task := r.rows[i].Task
		if rows[task] == nil {
			order = append(order, task)
		}
		rows[task] = append(rows[task], i)
	}
	return func(yield func(string, []int) bool) {
		for _, task := range order {
			if !yield(task, rows[task]) {
				return
			}
		}
	}
}

// fill gives the rows of a task to the nodes that call it.
func (r *filled) fill(task string, rows []int) {
	seats := r.bySeat[task]
	own := make([]int, 0, len(rows))
	placed := make(map[int][]int)
	for _, row := range rows {
		node, known := r.placed(&r.rows[row])
		switch {
		case known:
			placed[node] = append(placed[node], row)
		case len(seats) == 0 || r.rows[row].Caller != "":
			r.strange = append(r.strange, row)
		default:
			own = append(own, row)
		}
	}
	for _, node := range seats {
		if len(placed[node]) > 0 {
			r.seat(node, placed[node])
		}
	}
	switch {
	case len(own) == 0:
	case len(seats) == 1:
		r.seat(seats[0], own)
	case len(seats) == len(own) && !slices.ContainsFunc(seats, func(i int) bool { return r.many(&r.g.Nodes[i]) }):
		for k, row := range own {
			r.seat(seats[k], []int{row})
		}
	default:
		r.unclear[task] = true
		r.strange = append(r.strange, own...)
	}
}

// placed gives the node of the step that a row says it is of.
func (r *filled) placed(row *api.TaskRun) (node int, known bool) {
	if row.Place == "" || row.Caller != "" || r.plan == nil {
		return 0, false
	}
	node, known = r.byID[r.plan.shown(row.Place)]
	return node, known && r.g.Nodes[node].Task == row.Task
}

// many reports whether a node of the pipeline stands for any number of task runs.
func (r *filled) many(n *Node) bool {
	return n.Counts.Total() > 0 || n.Index >= 0 && strings.Contains(n.ID, ".each.")
}

// seat puts rows at a node: one is the node, of several each is in it.
func (r *filled) seat(node int, rows []int) {
	n := &r.g.Nodes[node]
	counts := r.seated[node]
	for _, i := range rows {
		counts[counted(&r.rows[i])]++
	}
	r.seated[node] = counts
	if !r.many(n) && len(rows) == 1 {
		row := &r.rows[rows[0]]
		n.State, n.Waited, n.Ran, n.Note = r.told(row)
		n.TaskRun = row.ID
		r.ids[row.ID] = n.ID
		return
	}
	id, name := n.ID, n.Name
	for _, i := range rows {
		r.add(&r.rows[i], id, name)
	}
}

// add adds a node for a row.
func (r *filled) add(row *api.TaskRun, in, name string) {
	n := Node{ID: row.ID, TaskRun: row.ID, Task: row.Task, Name: row.Name, Place: name, In: in, Index: row.Index, Seq: int64(r.planned) + row.Seq}
	n.State, n.Waited, n.Ran, n.Note = r.told(row)
	r.ids[row.ID] = row.ID
	r.g.Nodes = append(r.g.Nodes, n)
}

// told is what a row says of itself.
func (r *filled) told(row *api.TaskRun) (s State, waited, ran time.Duration, note string) {
	s = StateOf(row.State, row.StateName)
	end := row.Finished
	if end.IsZero() {
		end = r.Now
	}
	if !row.Started.IsZero() && end.After(row.Started) {
		ran = end.Sub(row.Started)
	}
	if len(row.History) > 0 && row.Started.After(row.History[0].Time) {
		waited = row.Started.Sub(row.History[0].Time)
	}
	switch {
	case row.Failure != nil && s.Problem():
		note, _, _ = strings.Cut(row.Failure.Message, "\n")
	case row.Reason != "" && s.Open():
		note = row.Reason
	}
	return s, waited, ran, note
}

// strangers adds what the pipeline does not explain: in what called it, if that is
// known or the pipeline has but one task, and else at the end.
func (r *filled) strangers() {
	slices.Sort(r.strange)
	home := ""
	if r.planned == 1 && r.g.Nodes[0].Task != "" {
		home = r.g.Nodes[0].ID
	}
	for _, i := range r.strange { // all ids first: a caller may come later
		r.ids[r.rows[i].ID] = r.rows[i].ID
	}
	hosts := make(map[string]bool)
	for _, i := range r.strange {
		in := home
		if id, known := r.ids[r.rows[i].Caller]; known && id != r.rows[i].ID {
			in = id
		}
		r.add(&r.rows[i], in, r.rows[i].Task)
		hosts[in] = true
	}
	for i := range r.g.Nodes {
		if n := &r.g.Nodes[i]; hosts[n.ID] && n.Kind == Task {
			n.Kind = SubRun
		}
	}
}

// upstream ties what the pipeline does not explain to what it waited for. What
// the list does not have is left out, and so is what one stands in.
func (r *filled) upstream() {
	nodes := make(map[string]int, len(r.g.Nodes))
	for i := range r.g.Nodes {
		nodes[r.g.Nodes[i].ID] = i
	}
	within := func(id, host string) bool {
		for id != "" {
			if id == host {
				return true
			}
			id = r.g.Nodes[nodes[id]].In
		}
		return false
	}
	for _, i := range r.strange {
		row := &r.rows[i]
		n := &r.g.Nodes[nodes[row.ID]]
		seen := make(map[string]bool, len(row.Upstream))
		for _, up := range row.Upstream {
			from, known := r.ids[up.TaskRun]
			if known && !seen[from] && !within(from, n.ID) && !within(n.ID, from) {
				seen[from] = true
				n.After = append(n.After, from)
			}
		}
	}
}

// settle takes back "planned" from what stands for others: those say it. Of a run
// that has ended nothing is planned any more: what was not reached was left out.
func (r *filled) settle() {
	hosts := make(map[string]bool)
	for i := range r.g.Nodes {
		hosts[r.g.Nodes[i].In] = true
	}
	for i := range r.g.Nodes {
		n := &r.g.Nodes[i]
		if n.State != Planned {
			continue
		}
		switch {
		case hosts[n.ID] || n.Counts.Total() > 0:
			n.State = Unknown
		case n.Kind == Value:
			if r.Run.State == api.Completed {
				n.State = Completed
			}
		case r.Run.State.Final():
			n.State = Skipped
		}
		if r.Run.State.Final() && n.Counts[Planned] > 0 {
			n.Counts[Skipped] += n.Counts[Planned]
			n.Counts[Planned] = 0
		}
	}
}
