//go:build race

package cli_test

// quick are the scripts to run, nil for all. SQLite is Go here, and many times slower
// under the race detector: those in which several goroutines are at work run with it,
// and all without it, which make test does beside.
var quick = []string{"testdata/script/server.txtar", "testdata/script/watch_tty.txtar", "testdata/script/token.txtar"}
