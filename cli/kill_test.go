package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

const (
	killedSubmissions = 1000
	killedClients     = 8
)

// A server is killed with SIGKILL while clients submit runs, each with a key of its own,
// and try again until they are answered. Whatever was in flight, each key has one run.
func TestServerKilledWhileClientsSubmit(t *testing.T) {
	dir := t.TempDir()
	addresses := &restarts{next: make(chan struct{})}
	server := startServer(t, dir)
	addresses.put(server.url)

	var (
		ids      [killedSubmissions]string
		todo     = make(chan int)
		answered = make(chan struct{}, killedSubmissions)
		again    atomic.Int64 // answers that name a run whose first answer got lost
		clients  sync.WaitGroup
	)
	for range killedClients {
		clients.Go(func() {
			for i := range todo {
				id, existed, err := addresses.submit(t.Context(), i)
				if err != nil {
					t.Errorf("submission %d: %v", i, err)
				}
				if ids[i] = id; existed {
					again.Add(1)
				}
				answered <- struct{}{}
			}
		})
	}
	go func() {
		defer close(todo)
		for i := range killedSubmissions {
			todo <- i
		}
	}()
	for n := range killedSubmissions {
		<-answered
		switch n + 1 {
		case 150, 400, 600, 850:
			server.kill(t)
			server = startServer(t, dir)
			addresses.put(server.url)
		}
	}
	clients.Wait()
	t.Logf("%d answers got lost, and their runs were found by the key", again.Load())

	c := clientOf(t, server.url)
	runs := map[string]string{} // by name, which says the submission
	for run, err := range c.Runs(t.Context(), api.RunFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if other, double := runs[run.Name]; double {
			t.Errorf("%s is run by %s and by %s", run.Name, run.ID, other)
		}
		runs[run.Name] = run.ID
	}
	if len(runs) != killedSubmissions {
		t.Errorf("%d submissions made %d runs", killedSubmissions, len(runs))
	}
	for i, id := range ids {
		if runs[submissionName(i)] != id {
			t.Errorf("%s was answered with %q, and there is %q", submissionName(i), id, runs[submissionName(i)])
		}
		out, err := c.Wait(t.Context(), id)
		if err != nil || out.State != api.Completed || string(out.Result) != strconv.Itoa(2*i) {
			t.Fatalf("%s came to %v %s, %v; want %d", submissionName(i), out.State, out.Result, err, 2*i)
		}
		if same, existed, err := addresses.submit(t.Context(), i); err != nil || !existed || same != id {
			t.Fatalf("%s once more gives %s (existed %v), %v; want %s", submissionName(i), same, existed, err, id)
		}
	}
	server.end(t)
}

func submissionName(i int) string { return "submission-" + strconv.Itoa(i) }

func clientOf(t *testing.T, url string) *httpapi.Client {
	t.Helper()
	c, err := httpapi.NewClient(url, httpapi.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// restarts say where the server is, and tell when it is elsewhere.
type restarts struct {
	mu   sync.Mutex
	url  string
	next chan struct{} // closed once there is another one
}

func (r *restarts) put(url string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.next)
	r.url, r.next = url, make(chan struct{})
}

func (r *restarts) now() (string, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.url, r.next
}

// submit tries until a server answers.
func (r *restarts) submit(ctx context.Context, i int) (id string, existed bool, err error) {
	spec := &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "double", Args: api.Args{[]byte(strconv.Itoa(i))}}}}}
	for {
		url, next := r.now()
		c, err := httpapi.NewClient(url, httpapi.ClientOptions{})
		if err != nil {
			return "", false, err
		}
		id, existed, err = c.Submit(ctx, httpapi.Submission{Spec: spec, Name: submissionName(i), Key: "key-" + strconv.Itoa(i)})
		if !errors.Is(err, httpapi.ErrUnreachable) {
			return id, existed, err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return "", false, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// process is a server in a process of its own.
type process struct {
	*exec.Cmd

	url        string
	complaints *bytes.Buffer
	ended      chan error
}

// startServer starts one on a file of SQLite, and waits until it listens.
func startServer(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	out := &firstLine{found: make(chan string, 1)}
	args = append([]string{"server", "--listen", "127.0.0.1:0", "--db", "sqlite:" + filepath.Join(dir, "server.db")}, args...)
	p := &process{Cmd: exec.CommandContext(t.Context(), "process", args...), complaints: &bytes.Buffer{}, ended: make(chan error, 1)}
	p.Env = append(os.Environ(), "GORACE="+noSleep, "HOME="+dir, "RUNNEL_DB=", "RUNNEL_SERVER=")
	p.Stdout, p.Stderr = out, p.complaints
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	select {
	case line := <-out.found:
		_, p.url, _ = strings.Cut(line, " at ")
	case err := <-p.ended:
		t.Fatalf("the server ended at once: %v: %s", err, p.complaints)
	}
	return p
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the server ended with %v: %s", err, p.complaints)
	}
}

// end interrupts a server, which is to end well.
func (p *process) end(t *testing.T) {
	t.Helper()
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; err != nil {
		t.Errorf("the server ended with %v: %s", err, p.complaints)
	}
}
