package engine

import (
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// doers says which worker runs which body, as of when it was first asked. It asks
// nobody: an engine knows to whom it gave what.
type doers struct {
	e     *Engine
	asked bool
	self  string
	lent  map[*api.Job]string
}

func (e *Engine) doers() *doers { return &doers{e: e} }

// of gives the name of the worker that has a task, "" if none has. Called with run.mu.
func (d *doers) of(t *task) string {
	if t.phase != claimed {
		return ""
	}
	if !d.asked {
		d.look()
	}
	if name, ok := d.lent[t.job]; ok {
		return name
	}
	if name, ok := d.e.remotes.has(t.job); ok {
		return name
	}
	return d.self
}

func (d *doers) look() {
	e := d.e
	d.asked, d.self = true, store.ProcessName()
	if e.peers.node == nil {
		return
	}
	names := make(map[int64]string)
	for _, m := range e.peers.node.Live() {
		names[m.Session] = m.Name
	}
	d.self = names[e.peers.node.Self()]
	e.lending.mu.Lock()
	defer e.lending.mu.Unlock()
	d.lent = make(map[*api.Job]string, len(e.lending.out))
	for _, x := range e.lending.out {
		d.lent[x.job] = names[x.to]
	}
}

// away reports whether another process has a job, or a worker that comes over HTTP.
// Look was called.
func (d *doers) away(job *api.Job) bool {
	if _, lent := d.lent[job]; lent {
		return true
	}
	_, remote := d.e.remotes.has(job)
	return remote
}

// took notes that a worker elsewhere has a job, and gave that it has it no more.
func (r *Remotes) took(job *api.Job, worker string) {
	r.out.Add(1)
	r.mu.Lock()
	r.jobs[job] = worker
	r.mu.Unlock()
}

func (r *Remotes) gave(job *api.Job) {
	r.out.Add(-1)
	r.mu.Lock()
	delete(r.jobs, job)
	r.mu.Unlock()
}

// has gives the name of the worker elsewhere that has a job.
func (r *Remotes) has(job *api.Job) (name string, ok bool) {
	if r == nil || r.out.Load() == 0 {
		return "", false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	name, ok = r.jobs[job]
	return name, ok
}
