package web

import (
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
)

func TestChanged(t *testing.T) {
	ms := func(n float64) api.Duration { return api.Duration(n * float64(time.Millisecond)) }
	for _, c := range []struct {
		from, to api.Duration
		text     string
		slower   bool
	}{
		{ms(100), ms(100), "same", false},
		{ms(100), ms(130), "+30%", false},
		{ms(100), ms(160), "+60%", true},
		{ms(100), ms(50), "−50%", false},
		{ms(2), ms(2000), "× 1,000", true},
		{ms(0.1), ms(0.9), "", false},
		{0, ms(5), "", false},
		{ms(5), 0, "", false},
	} {
		if text, slower := changed(c.from, c.to); text != c.text || slower != c.slower {
			t.Errorf("from %v to %v: %q %v, want %q %v", time.Duration(c.from), time.Duration(c.to), text, slower, c.text, c.slower)
		}
	}
}
