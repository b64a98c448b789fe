package lifecycle_test

import (
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
)

func TestName(t *testing.T) {
	for _, c := range []struct {
		state   api.State
		attempt int
		code    api.Code
		want    string
	}{
		{api.Pending, 0, "", "Pending"},
		{api.Scheduled, 1, "", "Scheduled"},
		{api.Scheduled, 2, "", "AwaitingRetry"},
		{api.Running, 1, "", "Running"},
		{api.Running, 2, "", "Retrying"},
		{api.Completed, 3, "", "Completed"},
		{api.Failed, 3, "", "Failed"},
		{api.Failed, 1, api.ErrTimeout.Code, "TimedOut"},
		{api.Failed, 1, api.ErrPanic.Code, "Failed"},
		{api.Cancelled, 1, "", "Cancelled"},
		{api.Crashed, 1, "", "Crashed"},
		{api.Skipped, 0, "", "Skipped"},
	} {
		if got := lifecycle.Name(c.state, c.attempt, c.code); got != c.want {
			t.Errorf("Name(%s, %d, %q) = %q, want %q", c.state, c.attempt, c.code, got, c.want)
		}
	}
}
