package web

import (
	"strings"

	"github.com/runnel-dev/runnel/internal/filter"
)

// known are values of fields that people want often.
var known = []string{
	"state:problems", "state:live", "state:final", "state:failed", "state:crashed", "state:running", "state:pending", "state:scheduled", "state:paused", "state:cancelled",
	"state:completed", "state:skipped", "state:awaiting_retry", "state:timed_out", "state:cached",
	"since:1h", "since:24h", "since:7d", "duration:>1s", "duration:>30s", "duration:>10m", "attempt:>1", "retries:>0", "cached:yes", "cached:no",
	"why:slots", "why:queue", "why:backoff", "why:worker", "why:limit", "why:dependencies", "why:answer", "ended:1h", "ended:24h", "started:1h",
}

// ofTasks are states that only task runs have.
const ofTasks = " state:awaiting_retry state:timed_out state:cached state:skipped "

// suggestions gives what static/suggest.js shows for a list of "runs" or "tasks": its
// fields, and values.
func suggestions(of string) string {
	target := filter.TaskRuns
	if of == "runs" {
		target = filter.Runs
	}
	var all []string
	has := map[string]bool{}
	for _, name := range filter.Fields(target) {
		has[name] = true
		all = append(all, name+":")
	}
	for _, value := range known {
		name, _, _ := strings.Cut(value, ":")
		if has[name] && (target == filter.TaskRuns || !strings.Contains(ofTasks, " "+value+" ")) {
			all = append(all, value)
		}
	}
	return strings.Join(all, " ")
}
