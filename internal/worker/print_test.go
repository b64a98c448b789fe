package worker_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// However a text is cut into writes, its lines are the same.
func TestPrinterCutsLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"a", "bc\n", "\n", "\r", "\r\n", "d\ne\nf", "", strings.Repeat("x", api.MaxLogText)})).Draw(t, "parts")
		var got []string
		p := worker.NewPrinter(func(line string) { got = append(got, line) })
		for _, part := range parts {
			if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatalf("Write(%.20q) gave %d, %v", part, n, err)
			}
		}
		lines := strings.Split(strings.Join(parts, ""), "\n")
		var want []string
		for _, line := range lines[:len(lines)-1] { // the last has not ended
			kept := line[:min(len(line), api.MaxLogText+1)]
			want = append(want, string(bytes.TrimSuffix([]byte(kept), []byte("\r"))))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("lines of %.200q:\n got %.100q\nwant %.100q", parts, got, want)
		}
	})
}
