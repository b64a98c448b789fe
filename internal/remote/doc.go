// Package remote is work without a database: workers that come over the network and
// are given tasks under leases. It has what both ends say, which is JSON, and both
// ends: a [Hub], which holds the workers and the leases where the engine is, and a
// [Hand], which is where the bodies run. docs/worker-protocol.md has the whole of it.
//
//	body's process                       the engine's process
//	worker.Pool ── Hand ── HTTP ── httpapi ── Hub ── engine.ClaimFor
//
// It must not know HTTP, the engine, or pipelines.
package remote
