// Package worker runs the bodies of tasks: it claims jobs from a source, runs
// the user's function with hooks, panics caught and a context that can be
// cancelled, and reports the answer. A [Teller] calls the hooks of task runs that
// have ended durably.
//
// It must not know where jobs come from: no store, no pipeline, no HTTP.
package worker
