//go:build !race

package runnel_test

// raceDetector says whether the tests run under it.
const raceDetector = false
