package web

import "testing"

func TestWhoTakesGzip(t *testing.T) {
	for accepted, want := range map[string]bool{
		"": false, "gzip": true, "br, GZIP": true, "gzip;q=0": false, "gzip; q=0.000, br": false,
		"br;q=1.0, gzip;q=0.5": true, "identity": false, "x-gzipped": false,
	} {
		if got := takesGzip(accepted); got != want {
			t.Errorf("takesGzip(%q) = %v, want %v", accepted, got, want)
		}
	}
}
