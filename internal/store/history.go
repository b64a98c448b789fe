package store

import (
	"encoding/binary"

	"github.com/runnel-dev/runnel/api"
)

// AppendHistory appends one transition to an encoded history.
func AppendHistory(b []byte, state api.State, attempt int32, at int64, message string) []byte {
	b = append(b, byte(state))
	b = binary.AppendUvarint(b, uint64(attempt))
	b = binary.AppendVarint(b, at)
	b = binary.AppendUvarint(b, uint64(len(message)))
	return append(b, message...)
}

// History walks an encoded history.
func History(b []byte, yield func(state api.State, attempt int32, at int64, message string)) error {
	for len(b) > 0 {
		state := api.State(b[0])
		attempt, w := binary.Uvarint(b[1:])
		if w <= 0 {
			return errCell
		}
		b = b[1+w:]
		at, w := binary.Varint(b)
		if w <= 0 {
			return errCell
		}
		b = b[w:]
		n, w := binary.Uvarint(b)
		if w <= 0 || uint64(len(b)-w) < n {
			return errCell
		}
		yield(state, int32(attempt), at, string(b[w:w+int(n)]))
		b = b[w+int(n):]
	}
	return nil
}
