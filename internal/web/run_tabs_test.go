package web

import "testing"

func TestStretch(t *testing.T) {
	for text, want := range map[string][2]float64{"0-1": {0, 1}, "12.5-400": {12.5, 400}, "": {}, "5": {}, "5-5": {}, "9-3": {}, "-1-4": {}, "NaN-1": {}, "0-Inf": {}, "0-1e300": {}, "a-b": {}} {
		from, to, ok := stretch(text)
		if ok != (want != [2]float64{}) || ok && [2]float64{from, to} != want {
			t.Errorf("stretch(%q) = %v, %v, %v, want %v", text, from, to, ok, want)
		}
	}
}
