package api_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// A job and its answer may go to another process: nothing is not null there, and
// null is not nothing.
func TestJobsAndAnswersSurviveJSON(t *testing.T) {
	null := json.RawMessage("null")
	spec, err := api.ParseSpec([]byte(`{"runnel":1,"steps":[{"task":"a"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, in := range []any{
		api.Job{},
		api.Answer{},
		api.Job{
			Run: "r", Task: "t", Name: "n", ID: "r/1", Attempt: 2, Generation: 3, Index: -1, Input: null, Spread: 2,
			Bound: api.Args{json.RawMessage(`1`), null}, State: null, TaskID: "x", Keyed: null, Timeout: time.Second,
			HeartbeatTimeout: time.Minute, Tags: []string{"a"}, Upstream: []api.Upstream{{State: api.Completed}},
			Caller: &api.Caller{TaskRun: "f", Args: api.Args{null}}, Looked: true, Named: true, Idempotency: "i", Schedule: &api.ScheduleTime{},
		},
		api.Answer{
			Result: null, Failure: &api.Failure{Type: "e", Message: "m", Code: api.ErrTimeout.Code}, NoRetry: true,
			Pipeline: spec, Pending: true, State: null, SetState: true, Merge: true, Keyed: null, SetKeyed: true,
			Interrupted: true, Pause: true, Started: now, Ended: now, Parts: []api.Part{{State: api.Completed}},
		},
	} {
		data, err := json.Marshal(in)
		out := reflect.New(reflect.TypeOf(in))
		if err = errors.Join(err, json.Unmarshal(data, out.Interface())); err != nil {
			t.Fatal(err)
		}
		if got := out.Elem().Interface(); !reflect.DeepEqual(got, in) {
			t.Errorf("%s\ngave %+v\nwant %+v", data, got, in)
		}
	}
}
