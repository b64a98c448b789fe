package pipeline_test

import (
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

// FuzzCompile: compiling never panics, and a plan in which all tasks end well
// comes to its end.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`{"runnel":1,"steps":[{"task":"one0"},{"task":"two2","args":[1]}],"finally":{"task":"end0n"}}`,
		`{"runnel":1,"steps":[{"children":[{"steps":[{"task":"one0"}]},{"steps":[{"value":[1,2]},{"each":{"steps":[{"task":"two1"}]}}]}],"settle":true}]}`,
		`{"runnel":1,"steps":[{"task":"list0l"},{"each":{"steps":[{"chain":{"steps":[{"task":"one1"},{"task":"two1","on":"error"}]}}]},"max_parallelism":2}],"state":{"value":{}},"inline":true}`,
		`{"runnel":1,"steps":[{"children":[]},{"children":[{"steps":[{"children":[]}]}]},{"task":"one1","spread":0,"wait":true,"ignore":false}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := api.ParseSpec(data)
		if err != nil {
			return
		}
		m, err := begin(spec)
		if err != nil {
			return
		}
		m.most = 5000
		m.do(pipeline.Begin(nil, m.root))
		for !m.over && m.count < m.most {
			if len(m.ready) == 0 {
				if stopped(m) {
					return
				}
				t.Fatalf("stands still: %v", m.log)
			}
			s := m.ready[0]
			if err := m.end(s.number, pipeline.End{Outcome: pipeline.Outcome{Value: pipeline.Value{Data: []byte("[1,2]")}}}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func stopped(m *machine) bool {
	for _, e := range m.groups {
		if e.stopped {
			return true
		}
	}
	return false
}
