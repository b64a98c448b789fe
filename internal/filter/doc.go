// Package filter is the language in which runs and task runs are chosen, the same in
// the API, the command line and the pages: "state:failed tag:db duration:>30s".
// docs/filters.md describes it for users.
//
// It must not know where things come from: it reads a text, and says of a thing
// whether it is chosen. What time it is, it is told.
package filter
