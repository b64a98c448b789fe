package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// What came into each queue is known when it may begin, and is what bodies were run for
// once nothing is left to do, in whatever way it came.
func TestWhatComesIntoQueues(t *testing.T) {
	type counts = map[string]int64
	cases := []struct {
		name, spec  string
		came, ended counts // when it has begun, in the end; nil: whatever
	}{
		{"one", dbl(1, ""), counts{"default": 1}, counts{"default": 1}},
		{"a queue", dbl(1, `"queue":"gpu"`), counts{"gpu": 1}, counts{"gpu": 1}},
		{"a group", all(`,"max_parallelism":1`, many(5, dbl(1, ""))...), counts{"default": 5}, counts{"default": 5}},
		{"a group of two queues", all("", dbl(1, ""), dbl(1, `"queue":"gpu"`), dbl(1, "")), counts{"default": 2, "gpu": 1}, counts{"default": 2, "gpu": 1}},
		{"each", `{"value":[1,2,3,4]},{"each":{"steps":[{"task":"dbl","options":{"queue":"gpu"}}]}}`, counts{"gpu": 4}, counts{"gpu": 4}},
		{"each of two", `{"value":[1,2,3,4]},{"each":{"steps":[{"task":"dbl"},{"task":"dbl"}]},"max_parallelism":2}`, counts{"default": 4}, counts{"default": 8}},
		{"past a handler", all("", `{"value":1},{"task":"mend","on":"error"},{"task":"dbl"}`), counts{"default": 1}, counts{"default": 1}},
		{"values", all("", `{"value":1}`, `{"value":2},`+`{"task":"dbl"}`), counts{"default": 1}, counts{"default": 1}},
		{"later", dbl(1, `"start_after":"2s"`), counts{}, counts{"default": 1}},
		{"a child later", all("", dbl(1, `"start_after":"2s"`)), counts{"default": 1}, counts{"default": 1}},
		{"tried again", `{"task":"flaky","args":[1]}`, counts{"default": 1}, counts{"default": 2}},
		{"a child tried again", all("", `{"task":"flaky","args":[1]}`, dbl(1, "")), counts{"default": 2}, counts{"default": 3}},
	}
	for _, w := range work {
		cases = append(cases, struct {
			name, spec  string
			came, ended counts
		}{"work: " + w.name, w.spec[1 : len(w.spec)-1], nil, nil})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(1e9, 0)
			e, err := engine.New(t.Context(), engine.Config{
				Store: memory.Open(), Registry: signature, Manual: true, Now: func() time.Time { return now }, Random: func() uint64 { return 1 },
			})
			if err != nil {
				t.Fatal(err)
			}
			h := &byHand{Engine: e, t: t}
			id := h.begin(c.spec)
			if came := e.Vitals(false).Came; c.came != nil && fmt.Sprint(came) != fmt.Sprint(c.came) {
				t.Errorf("it begins with %v in the queues, want %v", came, c.came)
			}
			for {
				for job, id := h.next(); id != ""; job, id = h.next() {
					h.Finish(job, body(job))
					h.steps()
				}
				h.steps() // what a child was found to wait for
				at, more := e.NextTimer()
				if !more {
					break
				}
				now = at
				e.Tick()
				h.steps()
			}
			if got := h.state(id); got != api.Completed {
				t.Fatalf("the run is %s", got)
			}
			v := e.Vitals(false)
			if fmt.Sprint(v.Came) != fmt.Sprint(v.Ended) || c.ended != nil && fmt.Sprint(v.Ended) != fmt.Sprint(c.ended) {
				t.Errorf("%v came and %v ended, want both to be %v", v.Came, v.Ended, c.ended)
			}
		})
	}
}
