package remote

import (
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// What the metadata of an attempt has of its run's trace, by the names of W3C Trace
// Context.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
)

// metadata gives what goes along with an attempt.
func metadata(trace string) map[string]string {
	m := map[string]string{}
	if trace == "" {
		return m
	}
	parent, state, has := strings.Cut(trace, " ")
	m[traceparent] = parent
	if has {
		m[tracestate] = state
	}
	return m
}

// traceOf is the reverse.
func traceOf(metadata map[string]string) string {
	trace := metadata[traceparent]
	if state := metadata[tracestate]; trace != "" && state != "" {
		trace += " " + state
	}
	return trace
}

// Trace gives the trace of the job's run.
func (h *Hand) Trace(job *api.Job) string { return attemptOf(job).trace }
