package cli

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// canvas is some lines of a terminal that are drawn again and again, in place. What was
// above stays, and so does the last picture when the command ends.
type canvas struct {
	out   io.Writer
	lines int // of the picture that is on the terminal
}

func (c *canvas) draw(lines []string) error {
	var b strings.Builder
	b.WriteString("\x1b[?2026h") // drawn at once, where the terminal can
	if c.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", c.lines)
	}
	for _, l := range lines {
		b.WriteString("\r\x1b[K" + l + "\n")
	}
	if more := c.lines - len(lines); more > 0 {
		b.WriteString("\x1b[J")
	}
	b.WriteString("\x1b[?2026l")
	c.lines = len(lines)
	_, err := io.WriteString(c.out, b.String())
	return err
}

// screen draws text that may be too wide or too long for the terminal: what fits of it.
func (c *canvas) screen(text string) error {
	wide, high := 80, 24
	if fd, ok := terminal(c.out); ok {
		if w, h, err := term.GetSize(fd); err == nil {
			wide, high = w, h
		}
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if room := max(high-1, 1); len(lines) > room {
		more := fmt.Sprintf("… %d more lines", len(lines)-room+1)
		lines = append(lines[:room-1], more)
	}
	for i := range lines {
		lines[i] = cutPainted(lines[i], max(wide, 20))
	}
	return c.draw(lines)
}

// cutPainted is cut for text with colours in it, which take up no columns.
func cutPainted(text string, to int) string {
	shown, escaped := 0, false
	end := 0 // of what fits beside the sign that there is more
	for at, r := range text {
		switch {
		case r == '\x1b':
			escaped = true
		case escaped:
			escaped = r != 'm'
		default:
			if shown++; shown == to {
				end = at
			} else if shown > to {
				return text[:end] + "…\x1b[0m"
			}
		}
	}
	return text
}
