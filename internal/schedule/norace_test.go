//go:build !race

package schedule_test

// raceDetector says whether the tests run under it. What is cut under it, make test
// does in full without.
const raceDetector = false
