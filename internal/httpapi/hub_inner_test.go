package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

// quiet is a hub that hears nothing by itself.
func quiet(t *testing.T) *hub {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	h := newHub(ctx, func() Service { return nil })
	cancel()
	return h
}

func joined(t *testing.T, h *hub, seen string, topics ...string) *client {
	t.Helper()
	c, err := h.join(topics, seen)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hears takes what there is for a client that was woken.
func (c *client) hears(t *testing.T, h *hub) string {
	t.Helper()
	select {
	case <-c.wake:
		return string(h.take(c))
	default:
		return ""
	}
}

// However often a thing changes, who is slow is told of it once: of the last change, with
// the last state.
func TestSlowClientHearsOfAThingOnce(t *testing.T) {
	h := quiet(t)
	c := joined(t, h, "", "runs")
	for n := range int64(4000) {
		change := api.Change{Number: n + 1, Run: "a"}
		switch n {
		case 10:
			change.State = api.Running
		case 20:
			change.State = api.Completed
		case 30:
			change = api.Change{Number: n + 1, Run: "b", State: api.Failed}
		}
		h.tell(change)
	}
	const want = `id: 31
event: run.changed
data: {"number":31,"run":"b","state":"FAILED"}

id: 4000
event: run.changed
data: {"number":4000,"run":"a","state":"COMPLETED"}

`
	if got := c.hears(t, h); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got := c.hears(t, h); got != "" {
		t.Errorf("then it hears %q", got)
	}
	h.tell(api.Change{Number: 4001, Run: "a"})
	if got := c.hears(t, h); !strings.Contains(got, `"number":4001`) || strings.Contains(got, "state") {
		t.Errorf("of a later change it hears %q", got)
	}
}

// More than a client may have waiting is not kept for it: it begins anew.
func TestClientFarBehindBeginsAnew(t *testing.T) {
	for _, c := range []struct {
		name   string
		things int
		reset  bool
	}{{"within its buffer", clientBuffer / 200, false}, {"beyond it", clientBuffer / 50, true}} {
		h := quiet(t)
		client := joined(t, h, "", "runs")
		for n := range c.things {
			h.tell(api.Change{Number: int64(n + 1), Run: fmt.Sprintf("run-%06d", n)})
		}
		got := client.hears(t, h)
		if (got == resetText) != c.reset || len(got) > clientBuffer || !c.reset && strings.Count(got, "event:") != c.things {
			t.Errorf("%s: %d bytes with %d events", c.name, len(got), strings.Count(got, "event:"))
		}
		h.tell(api.Change{Number: 1 << 20, Run: "later"})
		if got := client.hears(t, h); !strings.Contains(got, "later") {
			t.Errorf("%s: later it hears %q", c.name, got)
		}
	}
}

// What is forgotten is missed only by those to whom it mattered.
func TestForgottenChanges(t *testing.T) {
	h := quiet(t)
	bystander, slow := joined(t, h, "", "run:mine"), joined(t, h, "", "run:other")
	for n := range int64(3 * kept) {
		h.tell(api.Change{Number: n + 1, Run: "other"})
	}
	h.tell(api.Change{Number: 4 * kept, Run: "mine"})
	if got := bystander.hears(t, h); !strings.HasPrefix(got, fmt.Sprintf("id: %d\n", 4*kept)) {
		t.Errorf("who waits for a run that nothing was forgotten of hears %q", got)
	}
	if got := slow.hears(t, h); got != resetText {
		t.Errorf("who has not taken what was forgotten hears %q, want a reset", got)
	}
}

// Who comes back hears what came meanwhile, if that is known, and nothing else.
func TestComingBack(t *testing.T) {
	h := quiet(t)
	for n := range int64(10) {
		h.tell(api.Change{Number: 10 * (n + 1), Run: fmt.Sprint("run", n)})
	}
	for _, c := range []struct{ seen, want string }{
		{"80", "id: 90\nid: 100\n"},
		{"85", "id: 90\nid: 100\n"},
		{"100", ""},
		{"9", "reset"},
		{"101", "reset"}, // of another server
		{"x", "reset"},
	} {
		var ids strings.Builder
		for line := range strings.Lines(joined(t, h, c.seen, "runs").hears(t, h)) {
			if strings.HasPrefix(line, "id:") {
				ids.WriteString(line)
			}
			if line == "event: reset\n" {
				ids.WriteString("reset")
			}
		}
		if ids.String() != c.want {
			t.Errorf("after %s: %q, want %q", c.seen, ids.String(), c.want)
		}
	}
}

// Everything may have changed, which is news for everybody.
func TestAllIsToldToAll(t *testing.T) {
	h := quiet(t)
	for _, topic := range []string{"runs", "run:a", "limits", "schedules", "workers"} {
		c := joined(t, h, "", topic)
		h.tell(api.Change{Number: int64(len(h.news) + 1), All: true})
		if got := c.hears(t, h); got != resetText {
			t.Errorf("%s hears %q", topic, got)
		}
	}
}

// A thousand clients that take nothing hold nothing, whatever happens.
func TestThousandStalledClientsHoldNothing(t *testing.T) {
	h := quiet(t)
	for n := range kept { // what the hub keeps, for all of them
		h.tell(api.Change{Number: int64(n + 1), Run: fmt.Sprintf("run-%06d", n)})
	}
	all := make([]*client, 1000)
	for i := range all {
		all[i] = joined(t, h, "", "runs", fmt.Sprintf("run:run-%06d", i))
	}
	before := heapInUse()
	for n := range 2 * kept {
		h.tell(api.Change{Number: int64(kept + n + 1), Run: fmt.Sprintf("run-%06d", n)})
	}
	if grown := (heapInUse() - before) / len(all); grown > 1<<10 {
		t.Errorf("each has got %d bytes", grown)
	}
	for _, c := range all {
		if !bytes.Equal(h.take(c), []byte(resetText)) {
			t.Fatal("a client that took nothing is not told to begin anew")
		}
	}
}

func heapInUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
