// Package flight decides who may run under a cache key: one at a time.
//
// Who asks while another one runs under the key waits, the oldest first. When
// that one leaves without a value the next one has its turn; when it leaves with
// one, all who wait are woken, to look the value up.
//
// It must not know clocks, stores or goroutines, nor what is cached: a table is
// changed by one call at a time, and each call says what follows for others.
package flight
