package web

import "bytes"

// bare gives a script without the comments that stand on lines of their own, which are
// half of it. Lines stay where they are, so that what a browser says of them is true of
// the source. A text in back quotes must not have a line that looks like a comment.
func bare(script []byte) []byte {
	var out bytes.Buffer
	inside := false // a comment of several lines
	for line := range bytes.Lines(script) {
		text := bytes.TrimSpace(line)
		switch {
		case inside:
			_, rest, ended := bytes.Cut(line, []byte("*/"))
			inside = !ended
			line = rest
			if !ended {
				line = []byte("\n")
			}
		case bytes.HasPrefix(text, []byte("//")):
			line = []byte("\n")
		case bytes.HasPrefix(text, []byte("/**")):
			_, rest, ended := bytes.Cut(text, []byte("*/"))
			inside = !ended
			line = append(bytes.TrimLeft(rest, " "), '\n')
		}
		out.Write(line)
	}
	return out.Bytes()
}
