package cli

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func people() *Env {
	env := &Env{Out: io.Discard, Err: io.Discard, Now: func() time.Time { return noon }, Getenv: func(string) string { return "" }}
	env.flags = flags{output: "table", color: "auto", time: "relative", utc: true}
	env.printer, _ = newPrinter(env)
	return env
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0s", 1200 * time.Millisecond: "1.2s", 59 * time.Second: "59s", 362 * time.Second: "6m02s",
		90 * time.Minute: "1h30m", 76 * time.Hour: "3d4h", -time.Second: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestTimesAreRelativeToPeopleOnly(t *testing.T) {
	env := people()
	for at, want := range map[time.Time]string{
		noon: "now", noon.Add(-2 * time.Minute): "2m00s ago", noon.Add(time.Hour): "in 1h00m", {}: "",
	} {
		if got := env.printer.moment(at); got != want {
			t.Errorf("%s is shown as %q, want %q", at, got, want)
		}
	}
	env.flags.time = "iso"
	if got := env.printer.moment(noon); got != "2026-11-26T12:00:00.000Z" {
		t.Errorf("with --time iso: %q", got)
	}
	env.flags.output, env.flags.time = "csv", "relative"
	env.printer, _ = newPrinter(env)
	if got := env.printer.moment(noon.Add(-time.Second)); got != "2026-11-26T11:59:59.000Z" {
		t.Errorf("as CSV: %q", got)
	}
}

func TestNumbers(t *testing.T) {
	env := people()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 31002: "31,002", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := env.printer.number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	env := people()
	for text, want := range map[string]time.Time{
		"2h": noon.Add(-2 * time.Hour), "yesterday": noon.Add(-36 * time.Hour), "today": noon.Add(-12 * time.Hour), "now": noon,
		"2026-11-01": time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), "2026-11-01T15:04:05+01:00": time.Date(2026, 11, 1, 14, 4, 5, 0, time.UTC),
		"2026-11-01 15:04": time.Date(2026, 11, 1, 15, 4, 0, 0, time.UTC),
	} {
		if got, err := env.moment(text); err != nil || !got.Equal(want) {
			t.Errorf("moment(%q) = %s, %v, want %s", text, got, err, want)
		}
	}
	if _, err := env.moment("soon"); err == nil {
		t.Error(`moment("soon") is no error`)
	}
}

// TestNoTricksOnTheTerminal: what others named is shown, and not obeyed.
func TestNoTricksOnTheTerminal(t *testing.T) {
	if got := oneLine("a\x1b[2Jb\nc\x07"); strings.ContainsAny(got, "\x1b\n\x07") {
		t.Errorf("oneLine leaves %q", got)
	}
}

func TestNearest(t *testing.T) {
	for typed, want := range map[string]string{"dbb": "db", "awss": "aws", "postgres": ""} {
		if got := nearest(typed, []string{"db", "aws", "gpu"}); got != want {
			t.Errorf("nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{usagef("no"), exitUsage},
		{api.Errorf(api.ErrNotFound, "", "no run"), exitNotFound},
		{hinted(api.Errorf(api.ErrConflict, "", "it has ended"), "see"), exitConflict},
		{api.Errorf(api.ErrStore, "", "locked"), exitUnreachable},
		{errTimeout, exitTimeout},
		{runEnd("x", api.Failed, nil), exitRunFailed},
		{runEnd("x", api.Crashed, nil), exitRunStopped},
		{ended(exitPartly, "some"), exitPartly},
		{errors.New("disk"), exitFailure},
	} {
		env := people()
		env.started = true
		root := newRootCmd(env)
		root.SetContext(t.Context())
		if got := env.report(t.Context(), root, c.err); got != c.want {
			t.Errorf("%v exits with %d, want %d", c.err, got, c.want)
		}
	}
}

// TestAddressOffLoopbackIsRefused: where other machines can reach it a server asks who
// comes, and not in the clear.
func TestAddressOffLoopbackIsRefused(t *testing.T) {
	for address, near := range map[string]bool{
		"127.0.0.1:0": true, "localhost:80": true, "[::1]:80": true, "0.0.0.0:80": false, ":80": false, "[::]:80": false,
		"192.168.0.1:80": false, "example.com:80": false,
	} {
		for _, c := range []struct {
			s  serving
			ok bool
		}{
			{serving{}, near},
			{serving{proxied: true}, near},
			{serving{tokens: true}, near},
			{serving{tokens: true, proxied: true}, true},
			{serving{tokenFile: "f", cert: "c", key: "k"}, true},
		} {
			c.s.listen = address
			if err := c.s.admits(); (err == nil) != c.ok {
				t.Errorf("%+v: %v, want ok %t", c.s, err, c.ok)
			}
		}
	}
	if err := (&serving{listen: "127.0.0.1"}).admits(); err == nil {
		t.Error("an address without a port was taken")
	}
}

// TestProxySaysWhoAsks: behind a proxy the last address that it was given counts, and
// without one nobody is believed.
func TestProxySaysWhoAsks(t *testing.T) {
	for _, c := range []struct {
		proxied   bool
		forwarded []string
		want      string
	}{
		{true, []string{"198.51.100.7"}, "198.51.100.7:0"},
		{true, []string{"10.0.0.1, 198.51.100.7"}, "198.51.100.7:0"},
		{true, []string{"10.0.0.1", "2001:db8::1"}, "[2001:db8::1]:0"},
		{true, []string{"unknown"}, "192.0.2.1:1234"},
		{true, nil, "192.0.2.1:1234"},
		{false, []string{"198.51.100.7"}, "192.0.2.1:1234"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header["X-Forwarded-For"] = c.forwarded
		s := serving{proxied: c.proxied}
		s.known(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.RemoteAddr != c.want {
				t.Errorf("%v, behind a proxy %t: %s asks, want %s", c.forwarded, c.proxied, r.RemoteAddr, c.want)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
}

// TestInProcessStreams: what a handler has written is read before it ends, and it is
// told when nobody reads any more, and waited for.
func TestInProcessStreams(t *testing.T) {
	gone := make(chan struct{})
	client := http.Client{Transport: inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Name", "value")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "first\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://in.process/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, line); err != nil || string(line) != "first\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	if resp.StatusCode != http.StatusAccepted || resp.Header.Get("X-Name") != "value" {
		t.Errorf("status %d, header %v", resp.StatusCode, resp.Header)
	}
	resp.Body.Close()
	select {
	case <-gone:
	default:
		t.Error("the body was closed before the handler had ended")
	}
}
