package web

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 ms", 0: "0 µs", 45 * time.Microsecond: "45 µs", 2700 * time.Microsecond: "2.7 ms", 231 * time.Millisecond: "231 ms",
		1500 * time.Millisecond: "1.50 s", 59999 * time.Millisecond: "59.99 s", time.Minute: "1m 00s", 362 * time.Second: "6m 02s",
		90 * time.Minute: "1h 30m", 47 * time.Hour: "47h 00m", 49 * time.Hour: "2d 01h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 61204: "61,204", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
}

// TestBar lays out parts that fill the bar without gaps, and of which none vanishes.
func TestBar(t *testing.T) {
	for _, counts := range [][]int64{{1}, {0, 5}, {1, 99_999}, {60_990, 214, 12, 9, 38_775}, {1, 1, 1, 1, 1, 1, 1, 1_000_000_000}} {
		var parts []part
		for _, n := range counts {
			parts = append(parts, part{N: n})
		}
		at := int64(0)
		for _, p := range bar(parts) {
			if p.N == 0 || p.X != at || p.Width < leastPart {
				t.Errorf("bar of %v has %+v where %d is next", counts, p, at)
			}
			at += p.Width
		}
		if at != barWidth {
			t.Errorf("bar of %v is %d wide", counts, at)
		}
	}
	if bar([]part{{N: 0}}) != nil {
		t.Error("a bar of nothing is not empty")
	}
}

func TestInside(t *testing.T) {
	for to, want := range map[string]string{
		"runs?q=a": "runs?q=a", "runs/1?tab=graph&task=2": "runs/1?tab=graph&task=2", "": "", "//evil.example": "", "/\\evil.example": "", `\\evil.example`: "",
		"https://evil.example": "", "javascript:alert(1)": "", "../elsewhere": "", "/runs": "", "runs/../..": "",
	} {
		if got := inside(to); got != want {
			t.Errorf("inside(%q) = %q, want %q", to, got, want)
		}
	}
}

func TestAt(t *testing.T) {
	for _, c := range []struct {
		got, want string
	}{
		{at("runs/%", "a b"), "runs/a%20b"},
		{at("limits/%", "x/y%z"), "limits/x%2Fy%25z"},
		{at("runs/%/tasks/%", "%", "1"), "runs/%25/tasks/1"},
	} {
		if c.got != c.want {
			t.Errorf("at gives %q, want %q", c.got, c.want)
		}
	}
}
