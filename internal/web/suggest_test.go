package web

import (
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/internal/filter"
)

// TestSuggestions: whatever is suggested can be read.
func TestSuggestions(t *testing.T) {
	for of, target := range map[string]filter.Target{"runs": filter.Runs, "tasks": filter.TaskRuns} {
		all := strings.Fields(suggestions(of))
		if len(all) < 20 {
			t.Errorf("%s has %d suggestions", of, len(all))
		}
		for _, s := range all {
			if strings.HasSuffix(s, ":") {
				continue
			}
			if _, err := filter.Parse(s, target); err != nil {
				t.Errorf("%s: %s: %v", of, s, err)
			}
		}
	}
}
