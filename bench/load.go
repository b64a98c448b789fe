package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// What is asked of a server under load. Clients are as many as there are connections,
// each of which asks again as soon as it is answered.
const (
	loadClients = 50
	loadFloor   = 1000 // requests a second of lists that need not search
	loadMemory  = 256  // MB that the server may take at most
)

// route is a list that is asked for. Each request takes the next of its paths.
type route struct {
	name  string
	paths []string
	main  bool // measured for the whole duration, as those that search, and not a part of it
	// searches says that hardly anything fits, so that each request looks at as much
	// as one may: that it is answered is all that is asked for.
	searches bool
}

// loadLine is what is printed of a route.
type loadLine struct {
	Route     string  `json:"route"`
	Tasks     int     `json:"tasks"`
	Clients   int     `json:"clients"`
	Seconds   float64 `json:"seconds"`
	Requests  int     `json:"requests"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Errors    int     `json:"errors"` // connections, time-outs, and answers that are not 2xx
	CPU       float64 `json:"cpu_us_per_request"`
	RSS       float64 `json:"rss_mb"`
	PeakRSS   float64 `json:"peak_rss_mb"`
}

// load fills a file, has the program serve it, and asks for lists with wrk. It fails if
// an answer is an error, or what is asked for is missed.
func load(ctx context.Context, s *settings, out, progress io.Writer) (err error) {
	if s.dir, err = onDisk(s.dir); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.dir, "runnel-bench-load-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f := fillingOf(s.tasks)
	dsn, began := "sqlite:"+filepath.Join(dir, "runnel.db"), time.Now()
	wide, err := f.fill(ctx, dsn)
	if err != nil {
		return fmt.Errorf("filling the store: %w", err)
	}
	fmt.Fprintf(progress, "%d task runs after %v\n", f.tasks(), time.Since(began).Round(100*time.Millisecond))
	srv, err := serve(ctx, s.load, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	routes, err := srv.routes(ctx, wide)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	var missed []error
	for i := range routes {
		r := &routes[i]
		duration := s.duration
		if !r.main && !r.searches {
			duration = max(s.duration/6, time.Second)
		}
		line, err := srv.measure(ctx, r, dir, duration)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		line.Tasks = f.tasks()
		missed = append(missed, r.missed(&line, s.floor))
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return errors.Join(missed...)
}

// routes are those that are measured. Cursors are as the server gave them: some of each
// part of a wide run.
func (srv *served) routes(ctx context.Context, wide string) ([]route, error) {
	own := "/runs/" + wide + "/tasks"
	cursors, err := srv.cursors(ctx, own)
	if err != nil {
		return nil, err
	}
	later := func(path string) (paths []string) {
		for _, c := range cursors {
			paths = append(paths, path+"?cursor="+c)
		}
		return paths
	}
	return []route{
		{name: "/tasks", paths: []string{"/tasks"}, main: true},
		{name: "/tasks?cursor", paths: later("/tasks")},
		{name: "/runs", paths: []string{"/runs"}},
		{name: "/runs/{id}/tasks", paths: []string{own}},
		{name: "/runs/{id}/tasks?cursor", paths: later(own)},
		{name: "/tasks?task=inc", paths: []string{"/tasks?task=inc"}},
		{name: "/runs?state=failed", paths: []string{"/runs?state=failed"}, searches: true},
		{name: "/tasks?state=failed", paths: []string{"/tasks?state=failed"}, searches: true},
	}, nil
}

// manyCursors is about how many are taken of a list.
const manyCursors = 100

// cursors goes through a list, and gives cursors all over it.
func (srv *served) cursors(ctx context.Context, path string) (cursors []string, err error) {
	var all []string
	for next := ""; ; {
		var page struct {
			Next string `json:"next_cursor"`
		}
		if err := srv.get(ctx, path+"?limit=500&cursor="+next, &page); err != nil {
			return nil, err
		}
		if next = page.Next; next == "" {
			break
		}
		all = append(all, next)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has one page only: give more -tasks", path)
	}
	for i := 0; i < len(all); i += max(len(all)/manyCursors, 1) {
		cursors = append(cursors, all[i])
	}
	return cursors, nil
}

// get asks once.
func (srv *served) get(ctx context.Context, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s %s", path, resp.Status, text)
	}
	return json.Unmarshal(text, out)
}

// missed says what is wrong with what was measured.
func (r *route) missed(l *loadLine, floor float64) error {
	var problems []error
	if l.Requests == 0 {
		problems = append(problems, errors.New("nothing was answered"))
	}
	if l.Errors > 0 {
		problems = append(problems, fmt.Errorf("%d of %d requests failed, or were not answered with 2xx", l.Errors, l.Requests))
	}
	if !r.searches && l.PerSecond < floor {
		problems = append(problems, fmt.Errorf("%.0f requests/s, want %.0f", l.PerSecond, floor))
	}
	if l.PeakRSS > loadMemory {
		problems = append(problems, fmt.Errorf("the server took %.0f MB, want %d at most", l.PeakRSS, loadMemory))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	return nil
}
