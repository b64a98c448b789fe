package store

import (
	"encoding/binary"
	"errors"
)

// Cells hold what is never searched for: a list of fields, each a tag, and
// either a varint (odd tags) or a length and bytes (even tags). Unknown tags
// are skipped, so that an older program reads what a newer one wrote.

// TaskCell is the content of TaskRow.Cell.
type TaskCell struct {
	Result   Payload
	State    []byte // pipeline state after the step, nil for none
	Child    []byte // JSON of the pipeline that it returned, or a blob (EncodeRef)
	Next     int64  // base of the keys of Child's chain
	SetState bool   // the task changed the state
	Merge    bool   // the state is a map
	Tail     bool   // Child took the place of the chain that the task stood in
	Pause    bool   // the run pauses after the task
	Worker   uint32 // that its body last began on: see the engine's workerNames; 0: not known
	Started  int64  // start of the first attempt
	Begun    int64  // start of the latest attempt
	Ended    int64
	History  []byte // see AppendHistory
	Call     *Call  // of a task that a flow called; nil for all others
	Upstream []byte // see AppendUpstream

	seldom *Seldom // nil: nothing
}

// Call says which call of a flow a row stands for.
type Call struct {
	Key    string // as in add-0
	Inputs []byte // what the call was, to tell another one by
	Order  int64  // of its end among those of the flow's calls; 0: not ended
	One    bool   // of a chain's frame: it is one task, numbered Seq
	Seq    int64
	Round  int64 // generation of the run and attempt of the flow that made it
	// After is one more than the highest Order, each that of the first end under its key,
	// of what the flow had been told when it made the call: what the call may depend on
	// is of these. 0: not known.
	After int64
}

func (c *Call) append(b []byte) []byte {
	if c == nil || c.Key == "" {
		return b
	}
	b = appendBytes(b, tagKey, []byte(c.Key))
	b = appendBytes(b, tagInputs, c.Inputs)
	if c.One {
		b = appendInt(b, tagOne, c.Seq+1)
	}
	return appendInt(appendInt(appendInt(b, tagOrder, c.Order), tagRound, c.Round), tagAfter, c.After)
}

func (c *Call) field(tag byte, n int64, v []byte) {
	switch tag {
	case tagKey:
		c.Key = string(v)
	case tagInputs:
		c.Inputs = v
	case tagOne:
		c.One, c.Seq = true, n-1
	case tagOrder:
		c.Order = n
	case tagRound:
		c.Round = n
	case tagAfter:
		c.After = n
	}
}

const (
	tagResult     = 2
	tagResultBlob = 4
	tagFailure    = 6
	tagState      = 8
	tagChild      = 10
	tagToken      = 12
	tagAnswer     = 14
	tagParts      = 16
	tagHistory    = 18
	tagInput      = 22
	tagInputBlob  = 24
	tagKey        = 32
	tagInputs     = 34
	tagName       = 28
	tagTags       = 30
	tagCounts     = 26
	tagCache      = 36
	tagShown      = 38
	tagUpstream   = 40
	tagTrip       = 42
	tagSchedule   = 44
	tagPlan       = 46
	tagTrace      = 48

	tagFlags   = 1
	tagNext    = 3
	tagDue     = 5
	tagStarted = 7
	tagBegun   = 9
	tagEnded   = 11
	tagOrder   = 13
	tagRound   = 15
	tagAnew    = 17
	tagOne     = 19
	tagStart   = 21
	tagOpened  = 23
	tagAfter   = 25
	tagWorker  = 27
)

const (
	flagSetState = 1 << iota
	flagMerge
	flagTail
	flagPause
	flagWaiting
	flagCancelled
	flagInline
)

func appendInt(b []byte, tag byte, v int64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendVarint(append(b, tag), v)
}

func appendBytes(b []byte, tag byte, v []byte) []byte {
	if v == nil {
		return b
	}
	b = binary.AppendUvarint(append(b, tag), uint64(len(v)))
	return append(b, v...)
}

func appendString(b []byte, tag byte, v string) []byte {
	if v == "" {
		return b
	}
	return append(binary.AppendUvarint(append(b, tag), uint64(len(v))), v...)
}

func appendPayload(b []byte, tag byte, p Payload) []byte {
	if p.Blob.ID == 0 {
		return appendBytes(b, tag, p.Data)
	}
	ref := binary.AppendVarint(binary.AppendVarint(nil, p.Blob.ID), p.Blob.Size)
	return appendBytes(b, tag+2, ref)
}

func flag(on bool, f int64) int64 {
	if on {
		return f
	}
	return 0
}

// Append appends the encoded cell to b.
func (c *TaskCell) Append(b []byte) []byte {
	b = appendPayload(b, tagResult, c.Result)
	b = appendInt(b, tagFlags, flag(c.SetState, flagSetState)|flag(c.Merge, flagMerge)|
		flag(c.Tail, flagTail)|flag(c.Pause, flagPause)|flag(c.Waiting(), flagWaiting))
	b = appendInt(b, tagStarted, c.Started)
	if c.Begun != c.Started {
		b = appendInt(b, tagBegun, c.Begun)
	}
	b = appendInt(b, tagEnded, c.Ended)
	if c.Begun != 0 {
		b = appendInt(b, tagWorker, int64(c.Worker))
	}
	b = appendBytes(b, tagState, c.State)
	b = appendBytes(b, tagChild, c.Child)
	b = appendInt(b, tagNext, c.Next)
	if c.seldom != nil {
		b = c.seldom.append(b)
	}
	b = c.Call.append(b)
	b = appendBytes(b, tagUpstream, c.Upstream)
	return appendBytes(b, tagHistory, c.History)
}

// Decode reads a cell. The result shares b's memory.
func (c *TaskCell) Decode(b []byte) error {
	*c = TaskCell{}
	err := fields(b, func(tag byte, n int64, v []byte) {
		switch tag {
		case tagResult:
			c.Result.Data = v
		case tagResultBlob:
			c.Result.Blob = blobRef(v)
		case tagFlags:
			c.SetState, c.Merge = n&flagSetState != 0, n&flagMerge != 0
			c.Tail, c.Pause = n&flagTail != 0, n&flagPause != 0
			if n&flagWaiting != 0 {
				c.Put().Waiting = true
			}
		case tagStarted:
			c.Started = n
			if c.Begun == 0 {
				c.Begun = n
			}
		case tagBegun:
			c.Begun = n
		case tagEnded:
			c.Ended = n
		case tagWorker:
			c.Worker = uint32(n)
		case tagFailure:
			c.Put().Failure = v
		case tagState:
			c.State = v
		case tagChild:
			c.Child = v
		case tagNext:
			c.Next = n
		case tagDue:
			c.Put().Due = n
		case tagStart:
			c.Put().Start = n
		case tagToken:
			c.Put().Token = v
		case tagAnswer:
			c.Put().Answer = v
		case tagParts:
			c.Put().Parts = v
		case tagName:
			c.Put().Name = string(v)
		case tagTags:
			c.Put().Tags = v
		case tagCache:
			c.Put().Cache = v
		case tagHistory:
			c.History = v
		case tagAnew:
			c.Put().Anew = n
		case tagShown:
			c.Put().Shown = string(v)
		case tagUpstream:
			c.Upstream = v
		case tagKey, tagInputs, tagOne, tagOrder, tagRound, tagAfter:
			if c.Call == nil {
				c.Call = new(Call)
			}
			c.Call.field(tag, n, v)
		}
	})
	return err
}

// FrameCell is the content of FrameRow.Cell.
type FrameCell struct {
	Input   Payload // what each child is given, or the list of an each
	State   []byte  // state at the start; of a closed frame: at its end
	Merge   bool    // State is a map
	Inline  bool    // chains: gives its state to the frame above
	Pause   bool    // the run pauses when the frame closes
	Result  Payload // of a closed frame
	Failure []byte  // of a closed frame that failed: JSON of api.Failure
	// Cancelled: a closed frame that was cancelled.
	Cancelled bool
	Opened    int64  // of a group: when it began
	Call      Call   // of a chain that a flow called, or a note of one
	Trip      []byte // of a group: JSON of why a kill switch stopped it, nil if none did
	Plan      []byte // of a chain of several steps that a flow called: its pipeline, see EncodeRef
}

// Append appends the encoded cell to b.
func (c *FrameCell) Append(b []byte) []byte {
	b = appendPayload(b, tagResult, c.Result)
	b = appendInt(b, tagFlags, flag(c.Merge, flagMerge)|flag(c.Inline, flagInline)|
		flag(c.Pause, flagPause)|flag(c.Cancelled, flagCancelled))
	b = appendPayload(b, tagInput, c.Input)
	b = appendBytes(b, tagState, c.State)
	b = appendBytes(b, tagTrip, c.Trip)
	b = appendInt(b, tagOpened, c.Opened)
	b = appendBytes(b, tagPlan, c.Plan)
	b = c.Call.append(b)
	return appendBytes(b, tagFailure, c.Failure)
}

// Decode reads a cell. The result shares b's memory.
func (c *FrameCell) Decode(b []byte) error {
	*c = FrameCell{}
	return fields(b, func(tag byte, n int64, v []byte) {
		switch tag {
		case tagResult:
			c.Result.Data = v
		case tagResultBlob:
			c.Result.Blob = blobRef(v)
		case tagInput:
			c.Input.Data = v
		case tagInputBlob:
			c.Input.Blob = blobRef(v)
		case tagFlags:
			c.Merge, c.Inline = n&flagMerge != 0, n&flagInline != 0
			c.Pause, c.Cancelled = n&flagPause != 0, n&flagCancelled != 0
		case tagState:
			c.State = v
		case tagFailure:
			c.Failure = v
		case tagTrip:
			c.Trip = v
		case tagOpened:
			c.Opened = n
		case tagPlan:
			c.Plan = v
		default:
			c.Call.field(tag, n, v)
		}
	})
}

// EncodeRef gives what stands in a cell or column for p: JSON as it is, or a
// reference that can't be mistaken for JSON since it begins with a zero byte.
func EncodeRef(p Payload) []byte {
	if p.Blob.ID == 0 {
		return p.Data
	}
	return binary.AppendVarint(binary.AppendVarint([]byte{0}, p.Blob.ID), p.Blob.Size)
}

// DecodeRef reverses EncodeRef.
func DecodeRef(b []byte) Payload {
	if len(b) > 0 && b[0] == 0 {
		return Payload{Blob: blobRef(b[1:])}
	}
	return Payload{Data: b}
}

var errCell = errors.New("store: damaged cell")

// fields calls yield for each field of a cell.
func fields(b []byte, yield func(tag byte, n int64, v []byte)) error {
	for len(b) > 0 {
		tag := b[0]
		b = b[1:]
		if tag%2 == 1 {
			n, w := binary.Varint(b)
			if w <= 0 {
				return errCell
			}
			yield(tag, n, nil)
			b = b[w:]
			continue
		}
		n, w := binary.Uvarint(b)
		if w <= 0 || uint64(len(b)-w) < n {
			return errCell
		}
		yield(tag, 0, b[w:w+int(n):w+int(n)])
		b = b[w+int(n):]
	}
	return nil
}

func blobRef(v []byte) Blob {
	id, w := binary.Varint(v)
	if w <= 0 {
		return Blob{}
	}
	size, _ := binary.Varint(v[w:])
	return Blob{ID: id, Size: size}
}
