// Package dump is the file that holds all of a store, whichever kind it is of: lines of
// JSON, in gzip or not.
//
// The first line is the header, the last one says how many rows there are of each kind
// and has the digest of all lines before it; in between stands a row a line, the kinds
// in the order of their declaration here. So a file that is cut off or was changed is
// known as such, and a store can be filled while the file is read.
//
// It must not know stores, nor what cells and values mean.
package dump

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/runnel-dev/runnel/api"
)

// Version is that of the format. It rises with whatever a program of before would read
// wrongly, in these rows or in their cells.
const Version = 1

// Header is the first line.
type Header struct {
	Format  string    `json:"format"`  // always "runnel"
	Version int       `json:"version"` // of the format
	Store   string    `json:"store"`   // kind of the one that it was written from
	Schema  int       `json:"schema"`  // and its version
	Made    time.Time `json:"made"`
	Next    Next      `json:"next"`
}

// Next are the first numbers that were not given out.
type Next struct {
	Key  int64 `json:"key"` // of task runs and frames
	Run  int64 `json:"run"`
	Blob int64 `json:"blob"`
}

// Run is one run. Times are microseconds since 1970.
type Run struct {
	ID       int64     `json:"id"`
	UID      ID        `json:"uid"`
	Name     Text      `json:"name"`
	State    api.State `json:"state"`
	Gen      int32     `json:"gen"`
	Epoch    int32     `json:"epoch"`
	Base     int64     `json:"base"`
	Created  int64     `json:"created"`
	Finished int64     `json:"finished"`
	Plan     []byte    `json:"plan"`
	Cell     []byte    `json:"cell"`
}

// Task is one task run.
type Task struct {
	Run     int64     `json:"run"`
	ID      int64     `json:"id"`
	Frame   int64     `json:"frame"`
	Place   int32     `json:"place"`
	Name    Text      `json:"name"`
	State   api.State `json:"state"`
	Attempt int32     `json:"attempt"`
	Gen     int32     `json:"gen"`
	Cell    []byte    `json:"cell"`
}

// Frame is a composite in execution.
type Frame struct {
	Run     int64  `json:"run"`
	ID      int64  `json:"id"`
	Parent  int64  `json:"parent"`
	Place   int32  `json:"place"`
	Kind    uint8  `json:"kind"`
	State   uint8  `json:"state"`
	Base    int64  `json:"base"`
	Source  int64  `json:"source"`
	Count   int64  `json:"count"`
	Pending int64  `json:"pending"`
	Failed  int64  `json:"failed"`
	Low     int64  `json:"low"`
	Cell    []byte `json:"cell"`
}

// Block is a range of keys.
type Block struct {
	Run   int64 `json:"run"`
	First int64 `json:"first"`
	Count int64 `json:"count"`
	Seq   int64 `json:"seq"`
	Frame int64 `json:"frame"`
}

// Line is one of a run's log.
type Line struct {
	Run     int64 `json:"run"`
	Line    int64 `json:"line"`
	TaskRun Text  `json:"task_run"`
	Task    Text  `json:"task"`
	Attempt int32 `json:"attempt"`
	Time    int64 `json:"time"`
	Level   Text  `json:"level"`
	Text    Text  `json:"text"`
}

// Keyed is what is kept under a task id.
type Keyed struct {
	TaskID Text   `json:"task_id"`
	Value  []byte `json:"value"`
}

// Record is what belongs to no run, such as a limit. Blob is one that it owns, 0 for none.
type Record struct {
	Kind  Text   `json:"kind"`
	Key   Text   `json:"key"`
	Value []byte `json:"value"`
	Blob  int64  `json:"blob"`
}

// Blob is a large value, and Chunk a part of one, of ChunkSize bytes but for the last.
type Blob struct {
	ID   int64 `json:"id"`
	Run  int64 `json:"run"` // OfRecord: it is a record's
	Size int64 `json:"size"`
}

// Chunk is a part of a large value.
type Chunk struct {
	Blob   int64  `json:"blob"`
	Number int64  `json:"number"`
	Data   []byte `json:"data"`
}

// What all stores agree on.
const (
	ChunkSize = 256 << 10
	MaxChunks = 1 << 20 // of a blob
	OfRecord  = -2
)

// kinds are those of rows in their order.
var kinds = []string{"run", "task", "frame", "block", "log", "keyed", "record", "blob", "chunk"}

// end is the last line.
type end struct {
	Rows   map[string]int64 `json:"rows"`
	SHA256 string           `json:"sha256"`
}

// Text is a string of any bytes; JSON has only UTF-8.
type Text string

// MarshalJSON gives a string, or an object if the text is no UTF-8.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(binary{[]byte(t)})
}

// UnmarshalJSON reads either.
func (t *Text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	var v binary
	err := json.Unmarshal(b, &v)
	*t = Text(v.Bytes)
	return err
}

type binary struct {
	Bytes []byte `json:"base64"`
}
