package pipeline_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

// TestScripts runs testdata/*.txt: a command, a line with ----, and the effects
// up to the next empty line. The commands are
//
//	run PIPELINE            compile and begin
//	ok N [VALUE]            task #N ended well
//	state N STATE [VALUE]   the same, and left a state
//	fail N MESSAGE          task #N failed
//	returns N PIPELINE      task #N returned a pipeline
//	cancel                  the run is cancelled
//	cancelled N             task #N ended because of that
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(string(text))
			if got == string(text) {
				return
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("%s does something else (-update rewrites it):\n%s", file, got)
		})
	}
}

// play runs a script and gives it back with what happened.
func play(text string) string {
	var out strings.Builder
	var m *machine
	expected := false // skipping what the script expects
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case expected && line != "":
			continue
		case expected, line == "", strings.HasPrefix(line, "#"):
			expected = false
			out.WriteString(line + "\n")
		case line == "----":
			expected = true
			out.WriteString(line + "\n")
			if m != nil {
				for _, l := range m.log {
					out.WriteString(l + "\n")
				}
				m.log = nil
			}
		default:
			out.WriteString(line + "\n")
			var err error
			if m, err = command(m, line); err != nil {
				m = &machine{log: []string{"error: " + err.Error()}}
			}
		}
	}
	return out.String()
}

func command(m *machine, line string) (*machine, error) {
	word, rest, _ := strings.Cut(line, " ")
	if word == "run" {
		spec := new(api.Spec)
		if err := json.Unmarshal([]byte(strings.Replace(rest, "{", `{"runnel":1,`, 1)), spec); err != nil {
			return nil, err
		}
		m, err := begin(spec)
		if err == nil {
			m.do(pipeline.Begin(nil, m.root))
		}
		return m, err
	}
	if m == nil || m.root == nil {
		return nil, errors.New("nothing runs")
	}
	if word == "cancel" {
		m.cancel()
		return m, nil
	}
	number, rest, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil, err
	}
	var end pipeline.End
	switch word {
	case "ok":
		end.Value = given(rest)
	case "state":
		state, value, _ := strings.Cut(rest, " ")
		end.Value, end.SetState = given(value), true
		end.State = pipeline.State{Data: []byte(state), Set: true}
	case "fail":
		end.Status, end.Failure = pipeline.Failed, &api.Failure{Message: rest}
	case "cancelled":
		end.Status = pipeline.Cancelled
	case "returns":
		spec := new(api.Spec)
		if err := json.Unmarshal([]byte(strings.Replace(rest, "{", `{"runnel":1,`, 1)), spec); err != nil {
			return nil, err
		}
		plan, err := pipeline.Compile(spec, tasks)
		if err != nil {
			return nil, err
		}
		end.Child = plan.Root
	default:
		return nil, fmt.Errorf("unknown command %q", word)
	}
	return m, m.end(n, end)
}

func given(text string) pipeline.Value {
	if text == "" {
		return pipeline.Value{}
	}
	return pipeline.Value{Data: []byte(text)}
}
