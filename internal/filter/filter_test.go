package filter_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/filter"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

var runs = map[string]*api.Run{
	"ok": {
		ID: "0190-ok", Name: "nightly load", State: api.Completed, Created: ago(2 * time.Hour), Finished: ago(time.Hour),
		Tasks: map[string]api.TaskCounts{"load": {Completed: 5, Retries: 2}}, Schedule: &api.ScheduleTime{Name: "nightly"},
	},
	"bad":  {ID: "0191-bad", Name: "report", State: api.Failed, Created: ago(30 * time.Hour), Finished: ago(29 * time.Hour), Failure: &api.Failure{Message: "Connection refused"}},
	"live": {ID: "0192-live", Name: "report, weekly", State: api.Running, Created: ago(10 * time.Second)},
}

var tasks = map[string]*api.TaskRun{
	"hit":   {ID: "0190-a/0", Run: "0190-a", Task: "load", Name: "load", State: api.Completed, StateName: "Cached", Tags: []string{"db"}, Attempt: 0, Finished: ago(time.Minute)},
	"slow":  {ID: "0190-a/1", Run: "0190-a", Task: "load", Name: "load big", State: api.Running, StateName: "Running", Tags: []string{"db", "aws"}, Attempt: 3, Worker: "Host-7, pid 12", Started: ago(time.Minute)},
	"waits": {ID: "0191-b/0", Run: "0191-b", Task: "send", Name: "send", State: api.Scheduled, StateName: "AwaitingRetry", Waiting: &api.Waiting{Kind: api.WaitsForBackoff}, Attempt: 1, Started: ago(time.Hour)},
	"slot": {
		ID: "0191-b/1", Run: "0191-b", Task: "send", Name: "send", State: api.Pending, StateName: "Pending",
		Waiting: &api.Waiting{Kind: api.WaitsForSlots, Slots: []api.WaitingSlot{{Tag: "db"}}},
	},
}

// of are the runs of the task runs; that of the third has gone.
var of = map[string]*api.Run{"hit": runs["ok"], "slow": runs["ok"], "slot": runs["bad"]}

func TestRunsAreChosen(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "bad live ok",
		"state:failed":                    "bad",
		"state:FAILED,running":            "bad live",
		"-state:failed":                   "live ok",
		"state:problems":                  "bad",
		"state:live":                      "live",
		"state:final -state:failed":       "ok",
		"name:REPORT":                     "bad live",
		`name:"report, w"`:                "live",
		`"report, weekly"`:                "live",
		"report,load":                     "bad live ok",
		"0191":                            "bad",
		"id:019":                          "bad live ok",
		"task:load":                       "ok",
		"flow:load":                       "ok",
		"-flow:load,send":                 "bad live",
		"schedule:nightly":                "ok",
		"retries:2":                       "ok",
		"retries:>2":                      "",
		"retries:1..2":                    "ok",
		"duration:>30m":                   "bad ok",
		"duration:<1m":                    "live",
		"duration:10s..2h":                "bad live ok",
		"since:24h":                       "live ok",
		"since:2026-11-26":                "live ok",
		"created:>24h":                    "bad",
		"created:2026-11-25":              "bad",
		"created:2026-11-25..2026-11-26":  "bad live ok",
		"created:<2026-11-26":             "bad",
		"created:>=2026-11-26T11:59":      "live",
		"created:>2026-11":                "",
		"ended:<2h":                       "ok",
		"error:refused":                   "bad",
		"-error:refused state:failed":     "",
		"since:7d":                        "bad live ok",
		"ended:2026-11-26T11:00:00Z":      "ok",
		"state:cached":                    "",
		"report state:running since:1h":   "live",
		"-report":                         "ok",
		"state:live\n\tname:weekly\r\n":   "live",
		"created:<2026-11-26T10:00:01":    "bad ok",
		"created:<=2026-11-25 state:live": "",
	} {
		q, err := filter.Parse(text, filter.Runs)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var got []string
		for name, r := range runs {
			if q.Run(r, now) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q chose %q, want %q", text, got, want)
		}
	}
}

func TestTaskRunsAreChosen(t *testing.T) {
	for text, want := range map[string]string{
		"tag:db":                "hit slow",
		"tag:db tag:aws":        "slow",
		"tag:db,aws -tag:aws":   "hit",
		"state:cached":          "hit",
		"cached:no":             "slot slow waits",
		"cached:yes":            "hit",
		"state:awaiting_retry":  "waits",
		"attempt:>=1":           "slow waits",
		"attempt:0":             "hit slot",
		"run:0191":              "slot waits",
		"why:backoff":           "waits",
		"why:slots limit:db":    "slot",
		"limit:aws":             "",
		"queue:gpu":             "",
		"task:send -why:slots":  "waits",
		"started:<5m":           "slow",
		"duration:>30s":         "slow waits",
		"name:big":              "slow",
		"worker:host-7":         "slow",
		`worker:"host-7, pid"`:  "slow",
		"-worker:host":          "hit slot waits",
		"flow:load":             "hit slow",
		"-flow:load":            "slot waits",
		"schedule:nightly":      "hit slow",
		"since:24h":             "hit slow",
		"created:>24h":          "slot",
		"since:7d state:live":   "slot slow",
		"state:live attempt:>2": "slow",
	} {
		q, err := filter.Parse(text, filter.TaskRuns)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var got []string
		for name, r := range tasks {
			if q.TaskRun(r, of[name], now) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q chose %q, want %q", text, got, want)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"stat:failed":                    `character 1: there is no field "stat" (did you mean "state"?); there are state, `,
		"state:failed tag:db":            `character 14: the field "tag" is of task runs, and these are runs; there are state,`,
		"state:happy":                    `character 7: state: "happy" is no state: want one of final, live, problems, pending,`,
		"meta.team:db":                   "character 1: runs and task runs have no metadata",
		"task-name:x":                    `there is no field "task-name" (did you mean "name"?)`,
		"created:2026-11-07..2026-11-01": "begins with the smaller",
		"duration:2h..10s":               "begins with the smaller",
		"since:200000d":                  "is no time",
		"duration:long":                  `"long" is no duration`,
		"retries:many":                   `"many" is no number`,
		"created:yesterday":              `"yesterday" is no time`,
		"state:>failed":                  "nothing to compare",
		"state:":                         "a value is missing",
		"state:failed,":                  "character 14: a value is missing",
		`name:"open`:                     "has no end",
		"-":                              "a value is missing",
		"report, weekly":                 "character 8: a value is missing",
		"since:2026-01..2026-02":         "since has no end",
		"retries:>1..2":                  "a range is not compared",
		"created:>2026-01..2026-02":      "a range is not compared",
		"since:>24h":                     "nothing to compare",
		"created:2026-11-26..someday":    "is no time",
		"state:failed  duration:1s..nix": "character 24",
	} {
		_, err := filter.Parse(text, filter.Runs)
		if !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want %q", text, err, want)
		}
	}
	if _, err := filter.Parse("retries:2", filter.TaskRuns); err == nil || !strings.Contains(err.Error(), `"retries" is of runs, and these are task runs`) {
		t.Errorf("retries of task runs: %v", err)
	}
	if _, err := filter.Parse("cached:maybe", filter.TaskRuns); err == nil {
		t.Error("maybe was read as yes or no")
	}
}

// TestNarrow: what the store does of a query leaves nothing out that is chosen.
func TestNarrow(t *testing.T) {
	for text, want := range map[string]api.RunFilter{
		"state:failed":              {States: []api.State{api.Failed}},
		"state:failed,running":      {States: []api.State{api.Failed, api.Running}},
		"state:final state:failed":  {States: []api.State{api.Failed}},
		"-state:failed":             {},
		"state:cached":              {},
		"since:24h":                 {Since: ago(24 * time.Hour)},
		"since:24h since:1h":        {Since: ago(time.Hour)},
		"since:24h,2026-11-01":      {},
		"state:failed state:paused": {States: []api.State{api.Failed}},
	} {
		q, err := filter.Parse(text, filter.Runs)
		if err != nil {
			t.Fatal(err)
		}
		var f api.RunFilter
		q.NarrowRuns(&f, now)
		if !slices.Equal(f.States, want.States) || !f.Since.Equal(want.Since) {
			t.Errorf("%q: %+v, want %+v", text, f, want)
		}
	}
	q, err := filter.Parse("state:running task:load tag:db tag:aws,x", filter.TaskRuns)
	if err != nil {
		t.Fatal(err)
	}
	f := api.TaskRunFilter{Tags: []string{"first"}}
	if q.NarrowTaskRuns(&f) {
		t.Error("one of two tags is not what the store chooses")
	}
	if !slices.Equal(f.States, []api.State{api.Running}) || f.Task != "load" || !slices.Equal(f.Tags, []string{"first", "db"}) {
		t.Errorf("%+v", f)
	}
}

// What the store does alone chooses the same.
func TestNarrowWhole(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "state:failed task:load": true, "state:running,failed tag:db": true, "state:live": true,
		"state:cached": false, "-state:failed": false, "state:failed state:running": false, "task:a,b": false, "task:a task:b": false, "name:x": false,
	} {
		q, err := filter.Parse(text, filter.TaskRuns)
		if err != nil {
			t.Fatal(err)
		}
		if whole := q.NarrowTaskRuns(new(api.TaskRunFilter)); whole != want {
			t.Errorf("%q: %v, want %v", text, whole, want)
		}
	}
}

// FuzzParse: whatever comes is read or refused, and what was read is written so that
// it is read as the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"state:failed tag:db duration:>30s", `-name:"a \" b",c`, "created:2026-11-01..2026-11-07", "x,y -z", `""`, "since:7d", "attempt:>=2,1..3", "flow:etl,load -worker:host", "meta.team:x", `worker:"a, pid 1" created:>24h`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, target := range []filter.Target{filter.Runs, filter.TaskRuns} {
			q, err := filter.Parse(text, target)
			if err != nil {
				if !errors.Is(err, api.ErrInvalid) {
					t.Errorf("%q: %v is of another kind", text, err)
				}
				continue
			}
			again, err := filter.Parse(q.String(), target)
			if err != nil {
				t.Fatalf("%q is written as %q, which is refused: %v", text, q, err)
			}
			if again.String() != q.String() {
				t.Errorf("%q is written as %q, and then as %q", text, q, again)
			}
			for name, r := range runs {
				if target == filter.Runs && q.Run(r, now) != again.Run(r, now) {
					t.Errorf("%q and %q disagree about %s", text, q, name)
				}
			}
			for name, r := range tasks {
				if target == filter.TaskRuns && q.TaskRun(r, of[name], now) != again.TaskRun(r, of[name], now) {
					t.Errorf("%q and %q disagree about %s", text, q, name)
				}
			}
		}
	})
}

// TestDocs: every filter in docs/filters.md can be read, and every field is there.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?m)^    (.+)$").FindAllStringSubmatch(string(text), -1)
	if len(examples) < 8 {
		t.Fatalf("found %d examples", len(examples))
	}
	for _, e := range examples {
		_, run := filter.Parse(e[1], filter.Runs)
		_, task := filter.Parse(e[1], filter.TaskRuns)
		if run != nil && task != nil {
			t.Errorf("%s: %v; %v", e[1], run, task)
		}
	}
	for _, name := range append(filter.Fields(filter.Runs), filter.Fields(filter.TaskRuns)...) {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("the field %s is not there", name)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	q, err := filter.Parse("state:running tag:db duration:>30s -error:refused name:big", filter.TaskRuns)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !q.TaskRun(tasks["slow"], nil, now) {
			b.Fatal("not chosen")
		}
	}
}
