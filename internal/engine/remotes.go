package engine

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// Remotes are the workers that are not of this process: they come over the network,
// and somebody, who holds their leases, claims for them ([Engine.ClaimFor]). To the
// engine one is a borrower without a session. What they know is kept, so that
// pipelines with their tasks can be submitted, and brought back, while they are not
// there.
//
// They outlive an engine that loses its session.
type Remotes struct {
	out atomic.Int64 // jobs that they have
	on  atomic.Bool  // there is one, or was

	mu      sync.RWMutex
	workers map[string]*offer
	tasks   map[string]*remoteTask
	jobs    map[*api.Job]bool // that they have
}

// NewRemotes makes an empty one.
func NewRemotes() *Remotes {
	return &Remotes{workers: make(map[string]*offer), tasks: make(map[string]*remoteTask), jobs: make(map[*api.Job]bool)}
}

// RemoteTask is what a worker tells of a task whose body it has.
type RemoteTask struct {
	api.TaskInfo

	Version string `json:"version,omitempty"`
	// Cached says that it has a cache key, Told that it has hooks for how it ended.
	Cached bool `json:"cached,omitempty"`
	Told   bool `json:"told,omitempty"`
}

type remoteTask struct {
	RemoteTask

	signature *pipeline.Signature
	text      []byte // as it is stored
}

// remoteKind is the kind of the records that hold them, by name.
const remoteKind = "remote_task"

func newRemoteTask(in *RemoteTask) (*remoteTask, error) {
	text, err := json.Marshal(in)
	if err != nil {
		return nil, api.Errorf(api.ErrEncoding, "", "task %q: %w", in.Name, err)
	}
	t := &remoteTask{RemoteTask: *in, text: text}
	t.signature = &pipeline.Signature{
		Away: true, Orchestrator: in.Kind == "orchestrator", Cached: in.Cached, Told: in.Told,
		Name: in.Name, Params: in.Params, Result: in.Result, Options: in.Options,
		Check: func(i int, arg []byte) error { return pipeline.CheckKind(in.Params[i], arg) },
	}
	return t, pipeline.CheckSignature(t.signature)
}

// signature gives that of a task that remote workers know, nil if none ever did.
func (r *Remotes) signature(task string) *pipeline.Signature {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if t := r.tasks[task]; t != nil {
		return t.signature
	}
	return nil
}

// any reports whether one of the workers is as which says.
func (r *Remotes) any(which func(*offer) bool) bool {
	if r == nil {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, o := range r.workers {
		if which(o) {
			return true
		}
	}
	return false
}

// given is how many jobs they have.
func (r *Remotes) given() int64 {
	if r == nil {
		return 0
	}
	return r.out.Load()
}

// serving is how many of them serve a queue.
func (r *Remotes) serving(queue string) (n int) {
	r.any(func(o *offer) bool {
		if o.named(queue) {
			n++
		}
		return false
	})
	return n
}

// initRemotes has the registry know what they know.
func (e *Engine) initRemotes(ctx context.Context, cfg *Config) error {
	r := cfg.Remotes
	if r == nil {
		return nil
	}
	e.local = cfg.Registry
	e.registry = func(task string) *pipeline.Signature {
		if s := e.local(task); s != nil {
			return s
		}
		return r.signature(task)
	}
	if e.peers.node != nil {
		e.peers.node.Handle(tasksLearned, func(*cluster.Request) {
			e.beside(func() {
				if err := e.loadRemotes(e.closers.ctx); err != nil && e.closers.ctx.Err() == nil {
					e.log.Warn("what remote workers know can't be read", "error", err)
				}
				e.wakeAdopt()
			})
		})
	}
	return e.loadRemotes(ctx)
}

// tasksLearned tells another process that there are tasks which it may not know.
const tasksLearned = "tasks.learned"

// loadRemotes reads what remote workers have told of.
func (e *Engine) loadRemotes(ctx context.Context) error {
	known := make(map[string]*remoteTask)
	err := e.store.Records(ctx, remoteKind, "", func(name string, value []byte) error {
		in := new(RemoteTask)
		err := json.Unmarshal(value, in)
		if err == nil {
			known[name], err = newRemoteTask(in)
		}
		if err != nil {
			return api.Errorf(api.ErrStore, e.store.Location(), "stored remote task %q: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.remotes.mu.Lock()
	maps.Copy(e.remotes.tasks, known)
	e.remotes.mu.Unlock()
	e.peers.mu.Lock()
	clear(e.peers.unknown) // their tasks may be known now
	e.peers.mu.Unlock()
	if len(known) > 0 || e.remotes.on.Load() {
		e.openToRemotes()
	}
	return nil
}

// Learn takes note, durably, of tasks whose bodies a worker has. One that this process
// has as well must be the same, and so must one that another worker has at the moment.
func (e *Engine) Learn(ctx context.Context, tasks []RemoteTask) error {
	var fresh []store.RecordWrite
	made := make(map[string]*remoteTask, len(tasks))
	for i := range tasks {
		t, err := newRemoteTask(&tasks[i])
		if err != nil {
			return err
		}
		if own := e.local(t.Name); own != nil {
			if err := sameShape(own, t.signature, "here"); err != nil {
				return err
			}
			continue
		}
		known, err := e.remotes.knownAs(t)
		if err != nil {
			return err
		}
		if !known {
			made[t.Name] = t
			fresh = append(fresh, store.RecordWrite{Kind: remoteKind, Key: t.Name, Value: t.text})
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := e.checkStore(); err != nil {
		return err
	}
	if err := e.store.PutRecords(ctx, fresh...); err != nil {
		return err
	}
	e.remotes.mu.Lock()
	maps.Copy(e.remotes.tasks, made)
	e.remotes.mu.Unlock()
	if e.peers.node != nil {
		for _, m := range e.peers.node.Live() {
			if m.Session != e.peers.node.Self() {
				_ = e.peers.node.Tell(m.Session, tasksLearned, true) // it can be encoded
			}
		}
	}
	return nil
}

// knownAs reports whether a task is known just as t says.
func (r *Remotes) knownAs(t *remoteTask) (bool, error) {
	r.mu.RLock()
	was := r.tasks[t.Name]
	r.mu.RUnlock()
	if was == nil {
		return false, nil
	}
	if r.any(func(o *offer) bool { return o.knows(t.Name) }) {
		if err := sameShape(was.signature, t.signature, "by another worker"); err != nil {
			return false, err
		}
	}
	return string(was.text) == string(t.text), nil
}

// sameShape refuses a task that can't stand for one of its name.
func sameShape(known, in *pipeline.Signature, where string) error {
	if slices.Equal(known.Params, in.Params) && known.Result == in.Result && !known.Flow && known.Trips == nil {
		return nil
	}
	return api.Errorf(api.ErrConflict, "", "task %q is known %s with %v giving %s, and this worker has it with %v giving %s: give it another name, or stop those that have the other one",
		in.Name, where, known.Params, known.Result, in.Params, in.Result)
}

// RemoteTasks lists what remote workers know, or knew, and this process does not, by name.
func (e *Engine) RemoteTasks() []api.TaskInfo {
	if e.remotes == nil {
		return nil
	}
	e.remotes.mu.RLock()
	defer e.remotes.mu.RUnlock()
	var list []api.TaskInfo
	for _, name := range slices.Sorted(maps.Keys(e.remotes.tasks)) {
		if e.local(name) == nil {
			list = append(list, e.remotes.tasks[name].TaskInfo)
		}
	}
	return list
}
