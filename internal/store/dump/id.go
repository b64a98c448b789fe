package dump

import "github.com/google/uuid"

// ID is the id of a run as people know it.
type ID [16]byte

// MarshalText gives it in the form of a UUID.
func (id ID) MarshalText() ([]byte, error) { return uuid.UUID(id).MarshalText() }

// UnmarshalText reads it.
func (id *ID) UnmarshalText(text []byte) error { return (*uuid.UUID)(id).UnmarshalText(text) }
