package engine

import "github.com/runnel-dev/runnel/api"

// Kinds of [api.ErrConflict] by which callers tell one refusal from another.
var (
	errRunLive       = &api.Error{Code: "run_live"}
	errNothingFailed = &api.Error{Code: "nothing_failed"}
	errRetriedNow    = &api.Error{Code: "retried_meanwhile"}
	errTaskNotEnded  = &api.Error{Code: "task_not_ended"}
	errTaskFinal     = &api.Error{Code: "task_final"}
	errTaskReplaced  = &api.Error{Code: "task_replaced"}
	errInsideCall    = &api.Error{Code: "inside_call"}
	errRunFinal      = &api.Error{Code: "run_final"}
)
