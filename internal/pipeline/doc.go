// Package pipeline decides what follows what: it compiles a pipeline into a
// plan, and answers each event of a run (a task ended, a group's last child
// ended) with effects: start these tasks, open this frame, finish the run.
//
// It is pure: it must not know the time of day, any store, goroutine or random
// number, nor what a payload means. The engine feeds it events and makes its
// effects durable.
package pipeline
