package runnel

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/runnel-dev/runnel/api"
)

// None is the result of a task that has none, and the input of one that takes
// none. It is kept as no value at all; as an element of a list it is null.
type None struct{}

// MarshalJSON gives null.
func (None) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// UnmarshalJSON accepts anything.
func (*None) UnmarshalJSON([]byte) error { return nil }

// encode makes JSON of a value; nil for None.
func encode[T any](v T) (json.RawMessage, error) {
	if data, ok := encodePlain(&v); ok {
		return data, nil
	}
	return encodeAny(v)
}

// encodeArg is encode for a place where there must be JSON.
func encodeArg[T any](v T) (json.RawMessage, error) {
	data, err := encode(v)
	if data == nil && err == nil {
		data = json.RawMessage("null")
	}
	return data, err
}

// encodePlain encodes what needs no package json: most arguments and results.
func encodePlain(v any) (json.RawMessage, bool) {
	switch v := v.(type) {
	case *None:
		return nil, true
	case *string:
		return encodeString(*v)
	case *int:
		return strconv.AppendInt(nil, int64(*v), 10), true
	case *int64:
		return strconv.AppendInt(nil, *v, 10), true
	case *int32:
		return strconv.AppendInt(nil, int64(*v), 10), true
	case *uint64:
		return strconv.AppendUint(nil, *v, 10), true
	case *bool:
		return strconv.AppendBool(nil, *v), true
	case *float64:
		if a := math.Abs(*v); a == 0 || a >= 1e-6 && a < 1e21 {
			return strconv.AppendFloat(nil, *v, 'f', -1, 64), true
		}
	case *json.RawMessage:
		if json.Valid(*v) {
			return *v, true
		}
	}
	return nil, false
}

func encodeString(s string) (json.RawMessage, bool) {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\':
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii && !utf8.ValidString(s) {
		return nil, false
	}
	data := make([]byte, 0, len(s)+2)
	data = append(data, '"')
	data = append(data, s...)
	return append(data, '"'), true
}

func encodeAny(v any) (json.RawMessage, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, api.Errorf(api.ErrEncoding, "", "%T can't be encoded: %w", v, err)
	}
	return data, nil
}

// decode makes a value of JSON. No JSON at all is None, or a mistake.
func decode[T any](data []byte) (T, error) {
	var v T
	if decodePlain(data, &v) {
		return v, nil
	}
	into := new(T) // v itself must not move to the heap for the plain ones' sake
	err := decodeAny(data, into)
	return *into, err
}

func decodePlain(data []byte, into any) bool {
	var err error
	if len(data) == 0 {
		_, none := into.(*None)
		return none
	}
	switch into := into.(type) {
	case *string:
		return decodeString(data, into)
	case *int:
		*into, err = strconv.Atoi(string(data))
		return err == nil && plainNumber(data)
	case *int64:
		*into, err = strconv.ParseInt(string(data), 10, 64)
		return err == nil && plainNumber(data)
	case *float64:
		*into, err = strconv.ParseFloat(string(data), 64)
		return err == nil && plainNumber(data)
	case *json.RawMessage:
		*into = data
		return true
	}
	return false
}

// plainNumber refuses what strconv reads and JSON does not have, such as +1,
// 0x10 and Inf.
func plainNumber(data []byte) bool {
	for _, c := range data {
		if (c < '0' || c > '9') && c != '-' && c != '.' && c != 'e' && c != 'E' && c != '+' {
			return false
		}
	}
	return data[0] != '+' && data[0] != '.'
}

func decodeString(data []byte, into *string) bool {
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return false
	}
	text := data[1 : len(data)-1]
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	*into = string(text)
	return true
}

// decodeAny decodes with package json, and words its errors by JSON kinds.
func decodeAny(data []byte, into any) error {
	want := kindOf(reflect.TypeOf(into).Elem())
	got := kindOfJSON(data)
	switch {
	case got == "none" && want == "any":
		return nil
	case got == "none":
		return api.Errorf(api.ErrEncoding, "", "wants %s, got nothing", want)
	case got == "null" && !nullable(reflect.TypeOf(into).Elem()),
		got != "null" && want != "any" && want != got && (want != "integer" || got != "number"):
		return api.Errorf(api.ErrEncoding, "", "wants %s, got %s", want, got)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return api.Errorf(api.ErrEncoding, "", "wants %s, got %s: %w", want, excerpt(data), err)
	}
	return nil
}

// excerpt gives the beginning of JSON for an error.
func excerpt(data []byte) string {
	const most = 60
	if len(data) <= most {
		return string(data)
	}
	return string(data[:most]) + "…"
}

func kindOfJSON(data []byte) string {
	for _, c := range data {
		switch c {
		case ' ', '\t', '\n', '\r':
			continue
		case '[':
			return "array"
		case '{':
			return "object"
		case '"':
			return "string"
		case 't', 'f':
			return "boolean"
		case 'n':
			return "null"
		}
		return "number"
	}
	return "none"
}
