// Package sim proves the engine's promises. One seed drives engine, workers and
// store in one goroutine with virtual time: it chooses each next step at random,
// among them crashes before and after commits, lost, late and doubled answers,
// and checks after each step that what happened is allowed.
//
// A crowd (crowd.go) does the same with many engines on one store, each of which may
// crash, stand still, or be closed while the others go on.
//
// What should happen is computed by naive.go, a second interpreter of pipelines
// that is written from the specification, stupid and recursive. It must not
// share code with package pipeline or with the engine's decisions; only the
// bodies' own functions (script.go) are used by both.
package sim
