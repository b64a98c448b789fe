package web

import (
	"strings"

	"github.com/runnel-dev/runnel/internal/filter"
)

// suggestions gives what static/suggest.js shows for a list of "runs" or "tasks": its
// fields, and values, none of which has a space.
func suggestions(of string) string {
	target := filter.TaskRuns
	if of == "runs" {
		target = filter.Runs
	}
	var all, values []string
	for _, name := range filter.Fields(target) {
		all = append(all, name+":")
		for _, value := range filter.Values(name, target) {
			values = append(values, name+":"+value)
		}
	}
	return strings.Join(append(all, values...), " ")
}
