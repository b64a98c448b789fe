package api_test

import (
	"bytes"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

// FuzzParseSpec: reading never panics, and what was read and written is read and
// written the same.
func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{
		`{"runnel":1,"steps":[{"task":"a","args":[1,"x"],"spread":2,"options":{"retry":{"max":2,"delays":["1s"],"on":["e"]},"timeout":"2s","task_id":"t"}}]}`,
		`{"runnel":1,"steps":[{"children":[{"steps":[{"value":null}]}],"max_parallelism":3,"num_stages":2,"fail_fast":true}],"finally":{"task":"f"}}`,
		`{"runnel":1,"steps":[{"children":[],"kill_switches":[{"kind":"any_failed"},{"kind":"failed_count","count":3},{"kind":"failure_rate","min_sample":10,"rate":0.5},{"kind":"own","name":"x"}]}]}`,
		`{"runnel":1,"steps":[{"each":{"steps":[{"chain":{"steps":[{"task":"a","on":"error","wait":true,"ignore":true}]}}]},"settle":true}],"inline":true,"state":{"value":{"a":1},"merge":true}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := api.ParseSpec(data)
		if err != nil {
			return
		}
		once, err := spec.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := api.ParseSpec(once)
		if err != nil {
			t.Fatalf("%v: %s", err, once)
		}
		twice, err := again.AppendJSON(nil)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v:\n%s\n%s", err, once, twice)
		}
	})
}
