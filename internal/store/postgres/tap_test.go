package postgres_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// tap stands between a store and the server, as a pooler does, and sees what is
// said.
type tap struct {
	t  testing.TB
	to string // the server's socket

	mu         sync.Mutex
	executions int
	statements []string // as they are prepared, with "NAME:" before them if they get one, or simply run
	next       fate     // of the next transaction of several statements
}

// fate is what becomes of a transaction.
type fate int

const (
	heard   fate = iota // all is well
	unheard             // it is done, but the connection breaks before the answer
	unsaid              // the connection breaks before its end
)

// tapped gives a DSN that leads through a tap.
func tapped(tb testing.TB, dsn string) (*tap, string) {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	query := u.Query()
	socket := query.Get("host")
	if !filepath.IsAbs(socket) {
		tb.Fatalf("the tests want a server on a Unix socket, as scripts/with-postgres gives it; not %q", socket)
	}
	p := &tap{t: tb, to: filepath.Join(socket, ".s.PGSQL.5432")}
	dir := tb.TempDir()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		tb.Fatal(err)
	}
	var all sync.WaitGroup
	tb.Cleanup(func() {
		_ = l.Close() // ends the loop
		all.Wait()
	})
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(client) })
		}
	})
	query.Set("host", dir)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return p, u.String()
}

func (p *tap) serve(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(p.t.Context(), "unix", p.to)
	if err != nil {
		return
	}
	var deaf atomic.Bool
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if n > 0 && !deaf.Load() {
				_, _ = client.Write(buf[:n]) // if it can't, it is about to end
			}
			if err != nil {
				return
			}
		}
	}()
	defer server.Close()
	steps := 0
	for first := true; ; first = false {
		kind, message, err := p.message(client, first)
		if err != nil {
			return
		}
		became := heard
		switch kind {
		case 'E':
			steps++
		case 'S':
			if steps > 1 {
				became = p.take()
			}
			steps = 0
		}
		switch became {
		case unsaid:
			return
		case unheard:
			deaf.Store(true)
			// The server ends the connection after what it is told to do before.
			_, _ = server.Write(append(message, 'X', 0, 0, 0, 4))
			_, _ = io.Copy(io.Discard, client) // until the other side closes it
			return
		}
		if _, err := server.Write(message); err != nil {
			return
		}
	}
}

// take gives the fate of a transaction, which is not that of the next one.
func (p *tap) take() fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.next
	p.next = heard
	return f
}

func (p *tap) doom(f fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = f
}

// message reads the next one of the client and notes it.
func (p *tap) message(client io.Reader, first bool) (kind byte, message []byte, err error) {
	head := make([]byte, 5)
	if first {
		head = head[:4] // the first has no type
	}
	if _, err := io.ReadFull(client, head); err != nil {
		return 0, nil, err
	}
	size := int(binary.BigEndian.Uint32(head[len(head)-4:]))
	if size < 4 || size > 1<<28 {
		return 0, nil, errors.New("no message")
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(client, body); err != nil {
		return 0, nil, err
	}
	message = slices.Concat(head, body)
	if first {
		return 0, message, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch head[0] {
	case 'P':
		name, rest, _ := strings.Cut(string(body), "\x00")
		text, _, _ := strings.Cut(rest, "\x00")
		if name != "" {
			text = name + ":" + text
		}
		p.statements = append(p.statements, text)
	case 'Q':
		text, _, _ := strings.Cut(string(body), "\x00")
		p.executions++
		p.statements = append(p.statements, text)
	case 'E':
		p.executions++
	}
	return head[0], message, nil
}

// said gives the statements, and how many were run.
func (p *tap) said() (statements []string, executions int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.statements...), p.executions
}
