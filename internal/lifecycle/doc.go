// Package lifecycle decides which state may follow which, and whether and when
// a failed attempt is followed by another.
//
// It is pure: it must not know the time of day, any store, goroutine or random
// number; they come in as arguments.
package lifecycle
