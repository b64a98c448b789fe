package engine

import (
	"context"
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// keyedState lets one task at a time run under a task id, and hands the state
// kept under it from one to the next.
type keyedState struct {
	mu    sync.Mutex
	tasks map[string]*keyedTask
}

type keyedTask struct {
	holder  *task
	waiting []*task
	loaded  bool
	value   []byte
}

// enter reports whether t may run; if not it waits its turn.
func (k *keyedState) enter(t *task) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := k.tasks[t.job.TaskID]
	if id == nil {
		id = new(keyedTask)
		k.tasks[t.job.TaskID] = id
	}
	if id.holder == nil || id.holder == t {
		id.holder = t
		return true
	}
	id.waiting = append(id.waiting, t)
	return false
}

// load gives the state kept under the id of the task that holds it.
func (k *keyedState) load(from store.Store, taskID string) ([]byte, error) {
	k.mu.Lock()
	id := k.tasks[taskID]
	if id != nil && id.loaded {
		defer k.mu.Unlock()
		return id.value, nil
	}
	k.mu.Unlock()
	v, err := from.Keyed(context.Background(), taskID) //nolint:forbidigo // a claim's context is its worker's
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if id != nil {
		id.loaded, id.value = true, v
	}
	return v, nil
}

// leave ends the turn of t once what it answered is durable, and lets the next
// one start.
func (k *keyedState) leave(t *task, a *api.Answer) {
	next := k.pass(t, a)
	if next != nil {
		next.run.e.dispatch.push(next.run, next)
	}
}

func (k *keyedState) pass(t *task, a *api.Answer) *task {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := k.tasks[t.job.TaskID]
	if id == nil || id.holder != t {
		return nil
	}
	if a.SetKeyed {
		id.loaded, id.value = true, a.Keyed
	}
	id.holder = nil
	if len(id.waiting) == 0 {
		delete(k.tasks, t.job.TaskID)
		return nil
	}
	id.holder, id.waiting = id.waiting[0], id.waiting[1:]
	return id.holder
}
