package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
)

func TestWaitingText(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	db := api.WaitingSlot{Tag: "db", Limit: 10, Taken: 10, Holders: []string{"r/1"}, Place: 3}
	net := api.WaitingSlot{Tag: "net", Limit: 2, Taken: 1, Place: 1}
	for _, c := range []struct {
		w    api.Waiting
		want string
	}{
		{api.Waiting{}, "does not wait"},
		{api.Waiting{Kind: api.WaitsForWorker}, "waits for a worker"},
		{api.Waiting{Kind: api.WaitsForQueue, Queue: "gpu"}, `waits for a worker of queue "gpu": nobody serves it`},
		{api.Waiting{Kind: api.WaitsForSlots, Slots: []api.WaitingSlot{db}}, "waits for a slot of tag db (10 of 10 taken), place 3"},
		{
			api.Waiting{Kind: api.WaitsForSlots, Slots: []api.WaitingSlot{{
				Tag: "db", Limit: 10, Taken: 10, Place: 412, Waiting: 31002, MedianHold: api.Duration(1200 * time.Millisecond),
			}}},
			"waits for a slot of tag db (10 of 10 taken), place 412 of 31002, about 50s at a median hold of 1.2s",
		},
		{
			api.Waiting{Kind: api.WaitsForSlots, Slots: []api.WaitingSlot{db, net}},
			"waits for a slot of tag db (10 of 10 taken), place 3 and a slot of tag net (1 of 2 taken), place 1",
		},
		{api.Waiting{Kind: api.WaitsForOthers, Count: 1, TaskRuns: []string{"r/1"}}, "waits for 1 call: r/1"},
		{api.Waiting{Kind: api.WaitsForOthers, Count: 12, TaskRuns: []string{"r/1", "r/2"}}, "waits for 12 calls: r/1, r/2 and 10 more"},
		{
			api.Waiting{Kind: api.WaitsForParallelism, Limit: 10, Taken: 9},
			"waits for other children of its group to end (9 of 10 in progress)",
		},
		{
			api.Waiting{Kind: api.WaitsForTaskRuns, Running: 10, Limit: 10, Taken: 10, Counts: map[api.WaitingKind]int{api.WaitsForParallelism: 90}},
			"waits for its task runs: 10 running, 90 waiting for parallelism (10 of 10 in progress)",
		},
		{api.Waiting{Kind: api.WaitsForResume}, "waits for its run to be resumed"},
		{api.Waiting{Kind: api.WaitsForBackoff, Until: noon, Attempt: 3}, "waits until 2026-01-02T12:00:00Z for attempt 3"},
		{api.Waiting{Kind: api.WaitsForTime, Until: noon}, "waits until 2026-01-02T12:00:00Z"},
		{api.Waiting{Kind: api.WaitsForAnswer}, "waits for an answer from outside"},
		{api.Waiting{Kind: api.WaitsForAnswer, Until: noon}, "waits for an answer from outside, until 2026-01-02T12:00:00Z"},
		{api.Waiting{Kind: api.WaitsForTaskID, TaskRun: "r/3", TaskID: "cart 7"}, `waits for r/3, which has task id "cart 7"`},
		{api.Waiting{Kind: api.WaitsForCache, TaskRun: "r/3", Key: "k", Place: 2}, "waits for r/3, which runs under the same cache key, place 2"},
		{api.Waiting{Kind: api.WaitsForLimit, Key: "mails", Place: 4}, "its body waits for limit mails, place 4"},
		{api.Waiting{Kind: api.WaitsForOthers, Count: 3}, "waits for 3 calls"},
		{api.Waiting{Kind: api.WaitsForOthers}, "waits for what comes before it"},
		{api.Waiting{Kind: api.WaitsForCancel}, "waits for its body to return, which was told to end"},
		{api.Waiting{Kind: api.WaitsForStore}, "waits for the store"},
		{api.Waiting{Kind: "something new"}, "waits for something new"},
		{
			api.Waiting{Kind: api.WaitsForTaskRuns, Running: 2, Counts: map[api.WaitingKind]int{api.WaitsForSlots: 3, api.WaitsForParallelism: 90}},
			"waits for its task runs: 2 running, 90 waiting for parallelism, 3 waiting for slots",
		},
		{
			api.Waiting{Kind: api.WaitsForTaskRuns, Running: 4, Counts: map[api.WaitingKind]int{api.WaitsForSlots: 996}, Seen: 1000, Of: 20000},
			"waits for its task runs: 4 running, 996 waiting for slots, among 1000 of 20000 that are in progress",
		},
	} {
		got := c.w.String()
		if got != c.want || strings.Contains(got, "\n") {
			t.Errorf("%+v: %q, want %q", c.w, got, c.want)
		}
		data, err := json.Marshal(c.w)
		if err != nil {
			t.Fatal(err)
		}
		var back api.Waiting
		if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, c.w) {
			t.Errorf("%s reads as %+v (%v), want %+v", data, back, err, c.w)
		}
	}
}
