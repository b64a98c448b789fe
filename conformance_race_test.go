//go:build race

package runnel_test

// raceDetector: the widest cases are cut to a tenth, which is as good a sieve for
// races. make test does them in full without it.
const raceDetector = true
