// Package spans makes OpenTelemetry spans of what the engine and its workers tell it,
// and carries the trace of a run from who submitted it to the bodies. It knows the API
// of OpenTelemetry and no SDK.
//
// A run's trace is text that travels with it: a traceparent as W3C Trace Context has
// it, and perhaps a space and a tracestate.
package spans
