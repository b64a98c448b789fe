// Command bench measures Runnel and prints one JSON line per measurement.
//
// Each measurement is a process of its own with a fresh file, so that its peak
// memory is its own; all of them are done once before any is done again, and the
// line holds the medians. What a rate is compared with, its ceiling, comes from
// the same rounds: a bare writer that makes the store write exactly the rows
// that the workload leaves behind, in groups of 1,000, and does nothing else.
//
// Latencies are those of single tasks; on the line of a ceiling, of its commits.
// CPU and allocations are per unit of n: a task, a step, a child, a round.
//
// docs/benchmarks.md says what each workload is, and has the numbers.
package main
