package runnel

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEncodeAsPackageJSON(t *testing.T) {
	same(t, 0, -7, math.MaxInt64, math.MinInt64)
	same(t, int64(5))
	same(t, int32(-5))
	same(t, uint64(math.MaxUint64))
	same(t, true, false)
	same(t, 0.0, 1.0, -2.5, 1e-7, 1e-6, 1e20, 1e21, math.MaxFloat64, math.SmallestNonzeroFloat64)
	same(t, "", "plain", "é€", `quote"`, `back\slash`, "line\nbreak", "\x00")
	same(t, []byte("bytes"), nil)
	same(t, []int{1, 2}, nil)
	same(t, map[string]any{"a": nil}, nil)
	same(t, json.RawMessage(`{"a": 1}`))
	same(t, struct{ A int }{1})
	same[*int](t, nil)
	same(t, time.Unix(1, 0).UTC())
	same(t, time.Second)
}

// same checks that values are encoded to JSON that means what package json's
// does, and decoded to what they were.
func same[T any](t *testing.T, values ...T) {
	t.Helper()
	for _, v := range values {
		data, err := encode(v)
		if err != nil {
			t.Errorf("%#v: %v", v, err)
			continue
		}
		var back T
		if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(v, back) {
			t.Errorf("%#v became %s, %#v for package json (%v)", v, data, back, err)
		}
		if back, err := decode[T](data); err != nil || !reflect.DeepEqual(v, back) {
			t.Errorf("%#v became %s, %#v (%v)", v, data, back, err)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	refused[int](t, `"1"`, "wants integer, got string")
	refused[int](t, `1.5`, "wants integer, got 1.5")
	refused[int](t, `null`, "wants integer, got null")
	refused[int](t, ``, "wants integer, got nothing")
	refused[float64](t, `"x"`, "wants number, got string")
	refused[float64](t, `true`, "wants number, got boolean")
	refused[string](t, `1`, "wants string, got number")
	refused[[]int](t, `{}`, "wants array, got object")
	refused[[]int](t, `["x"]`, "wants array, got [\"x\"]")
	refused[struct{ A int }](t, ` [1]`, "wants object, got array")
	refused[Pair[int, int]](t, `1`, "wants array, got number")
	refused[bool](t, `0`, "wants boolean, got number")
	refused[None](t, `0`, "wants none, got number")
}

func refused[T any](t *testing.T, data, want string) {
	t.Helper()
	if v, err := decode[T]([]byte(data)); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%s became %#v (%v), want %q", data, v, err, want)
	}
}

func TestEncodeErrors(t *testing.T) {
	if _, err := encode(math.NaN()); err == nil {
		t.Error("NaN is encoded")
	}
	if _, err := encode(json.RawMessage("{")); err == nil {
		t.Error("half an object is encoded")
	}
	if data, err := encode(None{}); data != nil || err != nil {
		t.Errorf("none became %s (%v)", data, err)
	}
}

func TestKinds(t *testing.T) {
	for want, types := range map[string][]reflect.Type{
		"integer": {reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[time.Duration]()},
		"number":  {reflect.TypeFor[float32]()},
		"string":  {reflect.TypeFor[string](), reflect.TypeFor[[]byte]()},
		"array":   {reflect.TypeFor[[2]int](), reflect.TypeFor[Triple[int, int, int]]()},
		"object":  {reflect.TypeFor[map[int]int](), reflect.TypeFor[struct{}](), reflect.TypeFor[Failure]()},
		"any":     {reflect.TypeFor[any](), reflect.TypeFor[*int](), reflect.TypeFor[json.RawMessage](), reflect.TypeFor[time.Time]()},
		"none":    {reflect.TypeFor[None]()},
	} {
		for _, typ := range types {
			if got := kindOf(typ); got != want {
				t.Errorf("%s is %s, want %s", typ, got, want)
			}
		}
	}
}

func TestPlainValuesDoNotAllocate(t *testing.T) {
	data := []byte("12345")
	if n := testing.AllocsPerRun(100, func() { _, _ = decode[int](data) }); n > 0 {
		t.Errorf("decoding an int: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = encode(12345) }); n > 1 {
		t.Errorf("encoding an int: %v allocations", n)
	}
}
