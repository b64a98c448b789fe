package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

const crowd = 1000

// reader is a client of events that has no memory to speak of.
type reader struct {
	net.Conn

	text []byte
}

// until reads on to a text, or says what came instead.
func (r *reader) until(text string) error {
	part := make([]byte, 512)
	for !bytes.Contains(r.text, []byte(text)) {
		n, err := r.Read(part)
		if err != nil {
			return fmt.Errorf("%w after %q", err, r.text)
		}
		r.text = append(r.text, part[:n]...)
	}
	r.text = nil
	return nil
}

// A thousand clients wait for events. Others are answered meanwhile; one change reaches
// all; and all streams end with the engine.
func TestThousandIdleClientsOfEvents(t *testing.T) {
	s := serve(t)
	host := strings.TrimPrefix(s.url, "http://")
	s.ran(t, task("double", "1")) // what is made once has been
	before := inUse()
	all := make([]*reader, crowd)
	for i := range all {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		all[i] = &reader{Conn: conn}
		if _, err := fmt.Fprintf(conn, "GET /api/v1/events?topic=runs HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range all {
		if err := r.until("retry: 2000\n\n"); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
	each := (inUse() - before) / crowd
	t.Logf("%d bytes for each client", each)
	if each > 128<<10 { // with the race detector about twice what it is without
		t.Errorf("an idle client takes %d bytes", each)
	}
	began := time.Now()
	for range 50 {
		if status, _, text := s.get(t, "/api/v1/runs"); status != http.StatusOK {
			t.Fatalf("a list with %d clients of events: %d %s", crowd, status, text)
		}
	}
	t.Logf("%v for a list of runs meanwhile", time.Since(began)/50)
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("double", "1")})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range all {
		if err := r.until(id); err != nil {
			t.Fatalf("client %d does not hear of the run: %v", i, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.eng.Close(ctx)
	for i, r := range all {
		if err := r.until("0\r\n\r\n"); err != nil { // the last chunk
			t.Fatalf("client %d: the stream does not end: %v", i, err)
		}
	}
}

// inUse is what the heap and stacks take.
func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}
