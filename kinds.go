package runnel

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/runnel-dev/runnel/api"
)

// param is what is known of a parameter or result type without its type: all
// the reflection there is, done once when a task is made.
type param struct {
	kind string
	// check reports why JSON can't be decoded to the type.
	check func([]byte) error
	// value decodes to the type, for a part of a combined task.
	value func([]byte) (any, error)
	// refused is why the type can't travel as JSON; nil if it can.
	refused error
}

func paramOf[T any]() param {
	t := reflect.TypeFor[T]()
	return param{
		kind: kindOf(t),
		check: func(data []byte) error {
			_, err := decode[T](data)
			return err
		},
		value:   func(data []byte) (any, error) { return decode[T](data) },
		refused: travels(t, nil),
	}
}

var (
	noneType        = reflect.TypeFor[None]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	textType        = reflect.TypeFor[encoding.TextUnmarshaler]()
	tupleType       = reflect.TypeFor[interface{ tuple() int }]()
)

// kindOf gives the JSON kind of a type: integer, number, string, boolean, array,
// object, none, or any where the type alone does not tell.
func kindOf(t reflect.Type) string {
	pointer := reflect.PointerTo(t)
	switch {
	case t == noneType:
		return "none"
	case t.Implements(tupleType):
		return "array"
	case pointer.Implements(unmarshalerType):
		return "any"
	case pointer.Implements(textType) && t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer:
		return "string"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.String:
		return "string"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string" // base64
		}
		return "array"
	case reflect.Array:
		return "array"
	case reflect.Map, reflect.Struct:
		return "object"
	default:
		return "any"
	}
}

// nullable reports whether null is a value of the type.
func nullable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	default:
		return t == noneType || kindOf(t) == "any"
	}
}

// travels reports why a value of the type can't be encoded and decoded again.
func travels(t reflect.Type, above []reflect.Type) error {
	if !t.Implements(tupleType) && reflect.PointerTo(t).Implements(unmarshalerType) || reflect.PointerTo(t).Implements(textType) {
		return nil
	}
	if slices.Contains(above, t) {
		return nil
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return api.Errorf(api.ErrEncoding, "", "%s can't be encoded", t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return api.Errorf(api.ErrEncoding, "", "%s can't be decoded: it is an interface", t)
		}
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return travels(t.Elem(), above)
	case reflect.Struct:
		for f := range t.Fields() {
			if !f.IsExported() && !f.Anonymous || f.Tag.Get("json") == "-" {
				continue
			}
			if err := travels(f.Type, above); err != nil {
				return api.Errorf(api.ErrEncoding, "", "field %s of %s: %w", f.Name, t, err)
			}
		}
	default:
	}
	return nil
}
