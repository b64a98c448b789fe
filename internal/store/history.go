package store

import (
	"encoding/binary"

	"github.com/runnel-dev/runnel/api"
)

// Line is one transition of a task run's history.
type Line struct {
	State   api.State
	Name    string // of the state, if that does not follow from the rest
	Attempt int32
	At      int64 // microseconds
	Message string
}

// named marks the state of a line that has a name.
const named = 0x80

// AppendHistory appends one transition to an encoded history.
func AppendHistory(b []byte, l *Line) []byte {
	state := byte(l.State)
	if l.Name != "" {
		state |= named
	}
	b = append(b, state)
	b = binary.AppendUvarint(b, uint64(l.Attempt))
	b = binary.AppendVarint(b, l.At)
	b = appendText(b, l.Message)
	if l.Name != "" {
		b = appendText(b, l.Name)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// History walks an encoded history.
func History(b []byte, yield func(l *Line)) error {
	for len(b) > 0 {
		l := Line{State: api.State(b[0] &^ named)}
		hasName := b[0]&named != 0
		attempt, w := binary.Uvarint(b[1:])
		if w <= 0 {
			return errCell
		}
		b = b[1+w:]
		at, w := binary.Varint(b)
		if w <= 0 {
			return errCell
		}
		l.Attempt, l.At, b = int32(attempt), at, b[w:]
		var ok bool
		if l.Message, b, ok = cutText(b); !ok {
			return errCell
		}
		if hasName {
			if l.Name, b, ok = cutText(b); !ok {
				return errCell
			}
		}
		yield(&l)
	}
	return nil
}

func cutText(b []byte) (s string, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || uint64(len(b)-w) < n {
		return "", nil, false
	}
	return string(b[w : w+int(n)]), b[w+int(n):], true
}
