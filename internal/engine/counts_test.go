package engine

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

func TestEncodeCounts(t *testing.T) {
	want := map[string]*api.TaskCounts{
		"plain":         {Completed: 1, Failed: 2, Cancelled: 3, Retries: 4},
		"a \"quote\"\n": {Completed: 5},
		"ünïcode":       {},
	}
	data := encodeCounts(want)
	var got map[string]*api.TaskCounts
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s decodes to %v, %v", data, got, err)
	}
	// A field that is added to TaskCounts has to be added by hand.
	if n := reflect.TypeFor[api.TaskCounts]().NumField(); n != 4 {
		t.Errorf("api.TaskCounts has %d fields, encodeCounts writes 4", n)
	}
}
