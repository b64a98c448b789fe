package lifecycle

import "github.com/runnel-dev/runnel/api"

// Action is an act of control on a run.
type Action string

// The actions.
const (
	Pause   Action = "pause"
	Resume  Action = "resume"
	Cancel  Action = "cancel"
	Retried Action = "retry"
	// Rerun is a retry of what may have completed: of all, or from a task run on.
	Rerun Action = "rerun"
)

// controls says from which states an action is allowed and what it leads to.
// An action that leads to the state the run is in changes nothing.
var controls = map[Action]map[api.State]api.State{
	Pause:   {api.Pending: api.Paused, api.Running: api.Paused, api.Paused: api.Paused},
	Resume:  {api.Pending: api.Pending, api.Running: api.Running, api.Paused: api.Running},
	Cancel:  {api.Pending: api.Cancelling, api.Running: api.Cancelling, api.Paused: api.Cancelling},
	Retried: {api.Failed: api.Running, api.Cancelled: api.Running},
	Rerun:   {api.Failed: api.Running, api.Cancelled: api.Running, api.Completed: api.Running},
}

// errFinal is the kind of api.ErrConflict of what a run that has ended does not allow.
var errFinal = &api.Error{Code: "run_final"}

// Control gives the state that an action leads to, or an api.ErrConflict.
func Control(action Action, from api.State) (api.State, error) {
	to, ok := controls[action][from]
	if !ok {
		kind := api.ErrConflict
		if from.Final() {
			kind = errFinal
		}
		return from, api.Errorf(kind, "", "can't %s a run that is %s", action, from)
	}
	return to, nil
}
