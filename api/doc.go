// Package api holds the nouns of Runnel: states, runs, task runs, failures,
// errors, and the pipeline as data. It is what the engine, the stores, the
// workers and the ways in agree on, and what travels as JSON.
//
// It must not know anything: it imports the standard library only and makes no
// decision about what happens next.
package api
