package engine

import "github.com/runnel-dev/runnel/api"

// worker gives the name of the worker that the body of t last began on, "" if it has
// not. Called with run.mu.
func (t *task) worker() string {
	if t.cell.Begun == 0 {
		return ""
	}
	return t.run.e.workers.name(t.cell.Worker)
}

// away tells which of the jobs that were given out another process has, or a worker
// that comes over HTTP.
func (e *Engine) away() func(*api.Job) bool {
	lent := make(map[*api.Job]bool)
	e.lending.mu.Lock()
	for _, x := range e.lending.out {
		lent[x.job] = true
	}
	e.lending.mu.Unlock()
	return func(job *api.Job) bool { return lent[job] || e.remotes.have(job) }
}

// took notes that a worker elsewhere has a job, and gave that it has it no more.
func (r *Remotes) took(job *api.Job) {
	r.out.Add(1)
	r.mu.Lock()
	r.jobs[job] = true
	r.mu.Unlock()
}

func (r *Remotes) gave(job *api.Job) {
	r.out.Add(-1)
	r.mu.Lock()
	delete(r.jobs, job)
	r.mu.Unlock()
}

// have reports whether one of them has a job.
func (r *Remotes) have(job *api.Job) bool {
	if r == nil || r.out.Load() == 0 {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.jobs[job]
}
