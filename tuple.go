package runnel

import (
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
)

// Pair is two values of different types, such as the result of [InParallel2].
// As JSON it is an array of two. Spread feeds it into a task.
type Pair[A, B any] struct {
	First  A
	Second B
}

// Triple is three values of different types. As JSON it is an array of three.
type Triple[A, B, C any] struct {
	First  A
	Second B
	Third  C
}

// MarshalJSON gives an array of two.
func (p Pair[A, B]) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]any{p.First, p.Second})
}

// UnmarshalJSON reads an array of two.
func (p *Pair[A, B]) UnmarshalJSON(data []byte) error {
	return unmarshalTuple(data, &p.First, &p.Second)
}

// MarshalJSON gives an array of three.
func (t Triple[A, B, C]) MarshalJSON() ([]byte, error) {
	return json.Marshal([3]any{t.First, t.Second, t.Third})
}

// UnmarshalJSON reads an array of three.
func (t *Triple[A, B, C]) UnmarshalJSON(data []byte) error {
	return unmarshalTuple(data, &t.First, &t.Second, &t.Third)
}

func (Pair[A, B]) tuple() int { return 2 }

func (Triple[A, B, C]) tuple() int { return 3 }

func unmarshalTuple(data []byte, into ...any) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) != len(into) {
		return api.Errorf(ErrEncoding, "", "wants an array of %d, got one of %d", len(into), len(parts))
	}
	for i, part := range parts {
		if err := json.Unmarshal(part, into[i]); err != nil {
			return api.Errorf(ErrEncoding, "", "element %d: %w", i, err)
		}
	}
	return nil
}
