// Package flow runs the body of a flow: it gives calls their keys, makes those
// that depend on others once these have ended, and lets the body wait.
//
// A body runs again from its top after a crash. So whatever it sees must be the
// same then: the end of a call, the order in which calls end, what the clock
// said, whether a wait took too long. All of that goes through Engine, which
// keeps it.
//
// It must not know types of arguments and results, which the root adds, nor
// where the calls are made.
package flow
