package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
)

// pipes is a network without buffers, whose deadlines are of fake time.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7733} }

// dial connects a client.
func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.dialed <- there
	return here
}

// slowly runs a test in fake time against all that a server serves, as it serves it. gone
// gets how long the server kept a connection.
func slowly(t *testing.T, test func(t *testing.T, p *pipes, gone <-chan time.Duration)) {
	synctest.Test(t, func(t *testing.T) {
		held := runnel.NewTask0("held", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(held), runnel.LogTo(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		p, gone := newPipes(), make(chan time.Duration, 10)
		srv := newHTTPServer(eng.Handler())
		srv.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		since := map[net.Conn]time.Time{}
		var mu sync.Mutex
		srv.ConnState = func(c net.Conn, s http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			switch s {
			case http.StateNew:
				since[c] = time.Now()
			case http.StateClosed:
				gone <- time.Since(since[c])
			}
		}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(p) }()
		defer func() {
			_ = srv.Close() // what the pipes say does not matter
			<-served
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_ = eng.Close(ctx) // the body is held
		}()
		test(t, p, gone)
	})
}

// drip sends a text, and then one byte a second until the connection is closed.
func drip(c net.Conn, text string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for _, err := io.WriteString(c, text); err == nil; _, err = c.Write([]byte("x")) {
		<-tick.C
	}
}

func TestClientsThatSendSlowlyAreDropped(t *testing.T) {
	const post = "POST %s HTTP/1.1\r\nHost: runnel\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n"
	for _, c := range []struct {
		name, text string
		after      time.Duration
	}{
		{"a header without end", "GET /api/v1/runs HTTP/1.1\r\nX-", headerTime},
		{"no header at all", "", headerTime},
		{"a body without end", fmt.Sprintf(post, "/api/v1/runs", "application/json") + "{", 30 * time.Second},
		{"a body of a worker", fmt.Sprintf(post, "/api/v1/workers/1/attempts/1/slots", "application/json") + "{", 30 * time.Second},
		{"a body that nobody reads", fmt.Sprintf(post, "/nowhere", "text/plain"), 30 * time.Second},
		{"a form", fmt.Sprintf(post, "/limits", "application/x-www-form-urlencoded") + "tag=", 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			slowly(t, func(t *testing.T, p *pipes, gone <-chan time.Duration) {
				conn := p.dial()
				defer conn.Close()
				var clients sync.WaitGroup
				defer clients.Wait()
				clients.Go(func() { drip(conn, c.text) })
				clients.Go(func() { _, _ = io.Copy(io.Discard, conn) })
				// What an answer takes after that, and TCP a moment before it is closed.
				if got := <-gone; got < c.after || got > c.after+2*time.Second {
					t.Errorf("the connection was kept for %v, want %v", got, c.after)
				}
			})
		})
	}
}

func TestClientsThatDoNotReadAreDropped(t *testing.T) {
	for _, c := range []struct{ name, path string }{
		{"an answer", "/api/v1/openapi.json"},
		{"a page", "/runs"},
		{"events", "/api/v1/events?topic=runs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			slowly(t, func(t *testing.T, p *pipes, gone <-chan time.Duration) {
				conn := p.dial()
				defer conn.Close()
				ask(t, conn, c.path)
				if got := <-gone; got < 30*time.Second || got > 31*time.Second {
					t.Errorf("the connection was kept for %v, want 30s", got)
				}
			})
		})
	}
}

func ask(t *testing.T, conn net.Conn, path string) {
	t.Helper()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: runnel\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
}

func TestEventsAreForWhoReads(t *testing.T) {
	slowly(t, func(t *testing.T, p *pipes, gone <-chan time.Duration) {
		conn := p.dial()
		ask(t, conn, "/api/v1/events?topic=limits")
		beats := 0
		for lines := bufio.NewScanner(conn); beats < 240 && lines.Scan(); {
			if strings.HasPrefix(lines.Text(), ": still here") {
				beats++
			}
		}
		if beats < 240 { // an hour
			t.Errorf("the stream ended after %d beats", beats)
		}
		_ = conn.Close()
		<-gone // the server notices that nobody is there
	})
}

// Who reads slowly gets all, and a handler may take longer than a body.
func TestSlowIsNotStill(t *testing.T) {
	slowly(t, func(t *testing.T, p *pipes, _ <-chan time.Duration) {
		conn := p.dial()
		defer conn.Close()
		ask(t, conn, "/api/v1/openapi.json")
		began := time.Now()
		in := bufio.NewReader(&slowReader{conn})
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if took := time.Since(began); err != nil || len(text) < 100_000 || took < 45*time.Second {
			t.Errorf("%d bytes came in %v, %v; want all, in more than 45s", len(text), took, err)
		}
		// The same connection, once more.
		const body = `{"task":"held"}`
		began = time.Now()
		_, err = fmt.Fprintf(conn, "POST /api/v1/runs?wait_ms=50000 HTTP/1.1\r\nHost: runnel\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err = http.ReadResponse(in, nil); err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if took := time.Since(began); resp.StatusCode != http.StatusCreated || took < 50*time.Second {
			t.Errorf("%s after %v, want 201 after 50s", resp.Status, took)
		}
	})
}

// slowReader takes 2 KiB a second.
type slowReader struct{ net.Conn }

func (r *slowReader) Read(b []byte) (int, error) {
	<-time.After(time.Second)
	return r.Conn.Read(b[:min(len(b), 2048)])
}

func TestConnectionsThatNobodyUsesAreClosed(t *testing.T) {
	slowly(t, func(t *testing.T, p *pipes, gone <-chan time.Duration) {
		conn := p.dial()
		defer conn.Close()
		ask(t, conn, "/healthz")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		_ = resp.Body.Close()
		if got := <-gone; got != idleTime {
			t.Errorf("the connection was kept for %v, want %v", got, idleTime)
		}
	})
}
