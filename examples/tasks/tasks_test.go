package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

const want = `a task in a flow: Hello, I'm a task
name and description: hello-task, This task says hello. Key of 32 letters
tags of the task: [test]
tags of the caller: [test]
tags of both: [night test]
retries: contents of example.com, 1 task run: Running AwaitingRetry Retrying AwaitingRetry Retrying Completed
input hash: body ran 2 times (1 flow runs gave hello Marvin, hello Marvin, hello Arthur)
static cache: body ran 1 time (3 flow runs gave [42 42 42])
cache within a flow run: body ran 2 times (2 flow runs gave [42 42 42])
a call gives a future: *runnel.Future[string]
a future as an argument: string Hello Marvin!
result: Hello Arthur!
result of a failure: raised: no luck
result without raising: FAILED, the failure is a value: no luck
state: COMPLETED
wait with a time-out: after 1 ms RUNNING (ended: false), in the end FAILED (true)
wait_for: c after COMPLETED and COMPLETED; d after COMPLETED
upstream did not complete: true
concurrency limit of 10: 200 task runs, never more than 10 at a time: true
list and read limits: 1 limit; small_instance: 10, active slots []
limit of 0: CANCELLED, Aborted (the limit of tag small_instance is 0: it would wait for ever)
delete a limit: not found: true
batch: [3 5 7 9]
kill switch: stopped after 1 batch
kill switch of a pipeline: true
`

func TestTasks(t *testing.T) {
	for _, dsn := range []string{"memory:", "sqlite:" + filepath.Join(t.TempDir(), "tasks.db"), pgtest.DSN(t)} {
		var out strings.Builder
		if err := run(t.Context(), &out, dsn); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s: got\n%swant\n%s", dsn, &out, want)
		}
	}
}
