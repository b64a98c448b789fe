// Package cluster is how the processes that share a store know of each other and
// talk: who lives, who has which duty, and requests from one to another.
//
// It must not know what is talked about, nor how the store carries it. Nobody has
// to live for others to work, and nothing that is said is durable: whoever asks
// learns that the other one has gone, and asks who took its place.
package cluster
