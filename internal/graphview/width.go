package graphview

import (
	"strconv"
	"strings"
	"time"
)

// grouped gives a number with commas, as in "12,345".
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// lasted gives a duration in at most seven cells or so.
func lasted(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Second:
		return max(d.Round(time.Millisecond), time.Millisecond).String()
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m" + two(int(d/time.Second)%60) + "s"
	}
	return strconv.Itoa(int(d/time.Hour)) + "h" + two(int(d/time.Minute)%60) + "m"
}

func two(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// wide are the ranges of characters that take two cells of a terminal: East Asian
// wide and full width ones, and pictures.
var wide = [...][2]rune{
	{0x1100, 0x115f},
	{0x231a, 0x231b},
	{0x23e9, 0x23ec},
	{0x26a1, 0x26a1},
	{0x2705, 0x2705},
	{0x274c, 0x274c},
	{0x2e80, 0x303e},
	{0x3041, 0x33ff},
	{0x3400, 0x4dbf},
	{0x4e00, 0x9fff},
	{0xa000, 0xa4cf},
	{0xa960, 0xa97f},
	{0xac00, 0xd7a3},
	{0xf900, 0xfaff},
	{0xfe30, 0xfe6f},
	{0xff00, 0xff60},
	{0xffe0, 0xffe6},
	{0x1f300, 0x1f64f},
	{0x1f680, 0x1f6ff},
	{0x1f900, 0x1f9ff},
	{0x20000, 0x3fffd},
}

// thin are the ranges of those that take none, as they change the one before.
var thin = [...][2]rune{
	{0x300, 0x36f},
	{0x483, 0x489},
	{0x591, 0x5bd},
	{0x610, 0x61a},
	{0x64b, 0x65f},
	{0x1ab0, 0x1aff},
	{0x1dc0, 0x1dff},
	{0x200b, 0x200d},
	{0x20d0, 0x20ff},
	{0xfe00, 0xfe0f},
	{0xfe20, 0xfe2f},
}

func among(ranges [][2]rune, r rune) bool {
	for _, in := range ranges {
		if r >= in[0] && r <= in[1] {
			return true
		}
	}
	return false
}

func cellsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case among(thin[:], r):
		return 0
	case among(wide[:], r):
		return 2
	}
	return 1
}

// cells is how many cells of a terminal a text takes.
func cells(text string) (n int) {
	for _, r := range text {
		n += cellsOf(r)
	}
	return n
}

// cut gives as much of a text as fits into so many cells, with … for the rest.
func cut(text string, room int) string {
	if cells(text) <= room {
		return text
	}
	if room < 1 {
		return ""
	}
	used := 1
	for at, r := range text {
		if used += cellsOf(r); used > room {
			return text[:at] + "…"
		}
	}
	return text
}

// padded fills a text up with blanks, or cuts it.
func padded(text string, room int) string {
	text = cut(text, room)
	return text + strings.Repeat(" ", room-cells(text))
}

// plain gives text that can't do anything to a terminal or to the line that it
// stands in: what is not shown, or changes the direction of writing, becomes �.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x200e && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069,
			r == 0xfeff, r >= 0xfff9 && r <= 0xfffb, r == 0xfffe, r == 0xffff:
			return '�'
		}
		return r
	}, text)
}
