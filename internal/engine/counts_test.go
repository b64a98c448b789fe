package engine

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

func TestEncodeCounts(t *testing.T) {
	want := map[string]api.TaskCounts{
		"plain":         {Completed: 1, Failed: 2, Cancelled: 3, Skipped: 5, Retries: 4},
		"a \"quote\"\n": {Completed: 5},
		"ünïcode":       {},
	}
	var c counts
	if data := c.encode(); data != nil {
		t.Errorf("no counters give %s", data)
	}
	for name, n := range want {
		*c.of(name) = n
	}
	data := c.encode()
	var got map[string]api.TaskCounts
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s decodes to %v, %v", data, got, err)
	}
	// A field that is added to TaskCounts has to be added by hand.
	if n := reflect.TypeFor[api.TaskCounts]().NumField(); n != 5+3 {
		t.Errorf("api.TaskCounts has %d fields, encode writes 5, and 3 are 0 at a run's end", n)
	}
}

// Few names and many are counted alike.
func TestManyCounts(t *testing.T) {
	var c counts
	want := map[string]api.TaskCounts{}
	for i := range 1000 {
		name := fmt.Sprintf("task %d", i*i%37)
		n := want[name]
		n.Completed++
		n.Retries += int64(i)
		want[name] = n
		c.of(name).Completed++
		c.of(name).Retries += int64(i)
		if got := c.byName(); !reflect.DeepEqual(got, want) {
			t.Fatalf("after %d: %v, want %v", i+1, got, want)
		}
	}
}
