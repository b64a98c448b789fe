package lifecycle_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
)

// TestControl goes through every action in every state.
func TestControl(t *testing.T) {
	states := []api.State{api.Pending, api.Running, api.Paused, api.Cancelling, api.Completed, api.Failed, api.Cancelled}
	const no = api.State(0)
	for action, leads := range map[lifecycle.Action][]api.State{
		lifecycle.Pause:   {api.Paused, api.Paused, api.Paused, no, no, no, no},
		lifecycle.Resume:  {api.Pending, api.Running, api.Running, no, no, no, no},
		lifecycle.Cancel:  {api.Cancelling, api.Cancelling, api.Cancelling, no, no, no, no},
		lifecycle.Retried: {no, no, no, no, no, api.Running, api.Running},
		lifecycle.Rerun:   {no, no, no, no, api.Running, api.Running, api.Running},
	} {
		for i, from := range states {
			to, err := lifecycle.Control(action, from)
			switch {
			case leads[i] == no:
				if !errors.Is(err, api.ErrConflict) || to != from {
					t.Errorf("%s of %s gives %s, %v", action, from, to, err)
				}
			case err != nil || to != leads[i]:
				t.Errorf("%s of %s gives %s, %v; want %s", action, from, to, err, leads[i])
			}
		}
	}
}

// What the documentation shows is what is decided.
func TestControlIsDocumented(t *testing.T) {
	states := []api.State{api.Running, api.Paused, api.Cancelling, api.Completed, api.Failed, api.Cancelled}
	var table strings.Builder
	row := func(name string, cell func(api.State) string) {
		table.WriteString("| " + name)
		for _, s := range states {
			table.WriteString(" | " + cell(s))
		}
		table.WriteString(" |\n")
	}
	row("", api.State.String)
	table.WriteString("|---" + strings.Repeat("|---", len(states)) + "|\n")
	for _, action := range []lifecycle.Action{lifecycle.Pause, lifecycle.Resume, lifecycle.Cancel, lifecycle.Retried, lifecycle.Rerun} {
		row(string(action), func(from api.State) string {
			to, err := lifecycle.Control(action, from)
			if err != nil {
				return "–"
			}
			return to.String()
		})
	}
	want := strings.Replace(table.String(), "|  |", "| |", 1)
	doc, err := os.ReadFile("../../docs/states.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), "\n"+want+"\n") {
		t.Errorf("docs/states.md lacks this table:\n%s", want)
	}
}

// TestDelay goes through the delays before the attempts that follow the first.
func TestDelay(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, c := range []struct {
		name   string
		policy api.RetryPolicy
		want   []time.Duration
	}{
		{"none", api.RetryPolicy{}, []time.Duration{0, 0}},
		{"one for all", api.RetryPolicy{Delays: delays(s)}, []time.Duration{s, s, s}},
		{"listed, the last repeats", api.RetryPolicy{Delays: delays(s, 3*s)}, []time.Duration{s, 3 * s, 3 * s}},
		{"the first is the given one, then doubled", api.RetryPolicy{Delays: delays(s), Exponential: true}, []time.Duration{s, 2 * s, 4 * s, 8 * s}},
		{"doubled from the last listed", api.RetryPolicy{Delays: delays(s, 10*ms), Exponential: true}, []time.Duration{s, 10 * ms, 20 * ms}},
		{"capped", api.RetryPolicy{Delays: delays(s), Exponential: true, Cap: api.Duration(3 * s)}, []time.Duration{s, 2 * s, 3 * s, 3 * s}},
	} {
		for i, want := range c.want {
			if got := lifecycle.Delay(&c.policy, i+1); got != want {
				t.Errorf("%s: after attempt %d: %s, want %s", c.name, i+1, got, want)
			}
		}
	}
	p := api.RetryPolicy{Delays: delays(time.Hour), Exponential: true}
	if got := lifecycle.Delay(&p, 100_000); got != 365*24*time.Hour {
		t.Errorf("doubling without end: %s", got)
	}
}

func delays(ds ...time.Duration) []api.Duration {
	out := make([]api.Duration, len(ds))
	for i, d := range ds {
		out[i] = api.Duration(d)
	}
	return out
}

// TestRetry says whether another attempt follows.
func TestRetry(t *testing.T) {
	const s = time.Second
	three := &api.RetryPolicy{Max: 3, Delays: delays(s)}
	for _, c := range []struct {
		name  string
		f     lifecycle.Failed
		delay time.Duration
		again bool
	}{
		{"no policy", lifecycle.Failed{Attempt: 1}, 0, false},
		{"none allowed", lifecycle.Failed{Policy: &api.RetryPolicy{}, Attempt: 1}, 0, false},
		{"first of three", lifecycle.Failed{Policy: three, Attempt: 1}, s, true},
		{"last of three", lifecycle.Failed{Policy: three, Attempt: 3}, s, true},
		{"three were enough", lifecycle.Failed{Policy: three, Attempt: 4}, 0, false},
		{"refused by the worker", lifecycle.Failed{Policy: three, Attempt: 1, NoRetry: true}, 0, false},
		{"another error", lifecycle.Failed{Policy: &api.RetryPolicy{Max: 1, On: []string{"a"}}, Attempt: 1, Names: []string{"b"}}, 0, false},
		{"a named error", lifecycle.Failed{Policy: &api.RetryPolicy{Max: 1, On: []string{"a", "b"}}, Attempt: 1, Names: []string{"x", "b"}}, 0, true},
		{"within the total time", lifecycle.Failed{Policy: &api.RetryPolicy{Max: 1, Delays: delays(s), For: api.Duration(2 * s)}, Attempt: 1, Since: s}, s, true},
		{"past the total time", lifecycle.Failed{Policy: &api.RetryPolicy{Max: 1, Delays: delays(s), For: api.Duration(2 * s)}, Attempt: 1, Since: s + 1}, 0, false},
		{"jitter", lifecycle.Failed{Policy: &api.RetryPolicy{Max: 1, Delays: delays(s), Jitter: 0.5}, Attempt: 1, Random: 0.5}, s + s/4, true},
	} {
		if delay, again := lifecycle.Retry(c.f); delay != c.delay || again != c.again {
			t.Errorf("%s: %s, %t; want %s, %t", c.name, delay, again, c.delay, c.again)
		}
	}
}

func TestStart(t *testing.T) {
	since := time.Unix(1e9, 0)
	for _, c := range []struct {
		name string
		o    api.Options
		want time.Time
	}{
		{"a while after what comes before it", api.Options{StartAfter: api.Duration(time.Hour)}, since.Add(time.Hour)},
		{"a time", api.Options{StartAt: since.Add(time.Minute)}, since.Add(time.Minute)},
		{"a time that has passed", api.Options{StartAt: since.Add(-time.Minute)}, since.Add(-time.Minute)},
	} {
		if got := lifecycle.Start(&c.o, since); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
