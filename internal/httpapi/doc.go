// Package httpapi is Runnel over HTTP, both ends of it: the handler with its
// routes under /api/v1, and the client that calls them. A path and a field are
// written once, and every test is a round trip.
//
// It must not know the engine: what it serves is a [Service].
package httpapi
