package store

import (
	"encoding/binary"

	"github.com/runnel-dev/runnel/api"
)

// AppendUpstream appends one task run that another depends on, by how many
// numbers it is before that one (0: a pipeline, which has none) and by its
// state. The step before in a chain takes one byte.
func AppendUpstream(b []byte, before int64, state api.State) []byte {
	return binary.AppendVarint(b, before<<4|int64(state))
}

// Upstream walks what AppendUpstream made.
func Upstream(b []byte, yield func(before int64, state api.State)) error {
	for len(b) > 0 {
		n, w := binary.Varint(b)
		if w <= 0 {
			return errCell
		}
		yield(n>>4, api.State(n&15))
		b = b[w:]
	}
	return nil
}
