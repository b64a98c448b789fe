// Package engine makes pipelines happen: it gives work to workers, decides with
// package pipeline what follows each answer, makes that durable, and only then
// lets anybody see it.
//
// An event goes through four hands:
//
//	worker    Finish    takes the run's lock, decides, and queues a change
//	committer commit.go takes all changes that are queued into one transaction
//	advancer  advance.go after the commit: starts what follows, tells who waits
//	closer    close.go  puts a group's results together once its last child ended
//
// Each of them is a step that a single goroutine can drive: the simulation calls
// CommitStep, AdvanceStep, CloseStep and Tick itself (Config.Manual).
//
// Locks, in the order in which they may be taken: limits.writing and slots.writing,
// then run.mu, then sweep.mu, then one of Engine.mu, dispatcher.mu, keyed.mu,
// limits.mu, slots.mu, cache.mu, timers.mu, queue.mu and keyring.mu, none of which
// is held while another is taken, but that slots.mu may be while timers.mu is, and
// limits.mu while keeper.mu is; and keeper.mu while the others of the keeper's tables
// are.
//
// It must not know SQL, HTTP or users' functions.
package engine
