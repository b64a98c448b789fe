package store

import (
	"encoding/binary"
	"slices"
)

// RunCell is the content of RunRow.Cell.
type RunCell struct {
	Result   Payload
	Failure  []byte // JSON of api.Failure
	State    []byte // final state
	Counts   []byte // JSON of map[string]api.TaskCounts
	Schedule []byte // JSON of api.ScheduleTime, also of a live run; nil for none
	Trace    string // see worker.Source, also of a live run; "" for none
}

// Append appends the encoded cell to b.
func (c *RunCell) Append(b []byte) []byte {
	const tags = 6 * (1 + binary.MaxVarintLen32)
	b = slices.Grow(b, tags+len(c.Result.Data)+len(c.Failure)+len(c.State)+len(c.Schedule)+len(c.Trace)+len(c.Counts))
	b = appendPayload(b, tagResult, c.Result)
	b = appendBytes(b, tagFailure, c.Failure)
	b = appendBytes(b, tagState, c.State)
	b = appendBytes(b, tagSchedule, c.Schedule)
	b = appendString(b, tagTrace, c.Trace)
	return appendBytes(b, tagCounts, c.Counts)
}

// Decode reads a cell. The result shares b's memory.
func (c *RunCell) Decode(b []byte) error {
	*c = RunCell{}
	return fields(b, func(tag byte, _ int64, v []byte) {
		switch tag {
		case tagResult:
			c.Result.Data = v
		case tagResultBlob:
			c.Result.Blob = blobRef(v)
		case tagFailure:
			c.Failure = v
		case tagState:
			c.State = v
		case tagCounts:
			c.Counts = v
		case tagSchedule:
			c.Schedule = v
		case tagTrace:
			c.Trace = string(v)
		}
	})
}
