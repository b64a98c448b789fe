// Package cli is Runnel's command line. [Main] puts it into a program of one's own,
// whose tasks it knows then:
//
//	func main() { cli.Main(runnel.Register(extract, load, report)) }
//
// That program is server, worker and client: `program server` serves its engine,
// `program run start extract` submits a run, here or to a server. The program in
// cmd/runnel is the same without tasks.
//
// Every command speaks to the REST API, and to nothing else. With --server that is
// over the network. With --db, and without either, an engine is opened in this
// process, and its handler is called without a network in between. So each command
// is written once, and whatever it can do anybody can with curl.
package cli
