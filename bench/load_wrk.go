package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// served is a program that serves a store.
type served struct {
	cmd *exec.Cmd
	url string
}

// serve starts it on a port of loopback that is free.
func serve(ctx context.Context, program, dsn string) (*served, error) {
	cmd := exec.CommandContext(ctx, program, "server", "--db", dsn, "--workers", "0", "--listen", "127.0.0.1:0", "-q")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said := bufio.NewScanner(out)
	if said.Scan() {
		if _, url, ok := strings.Cut(said.Text(), " at http://"); ok {
			return &served{cmd, "http://" + url + "/api/v1"}, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s server says %q, want where it serves", program, said.Text()), cmd.Process.Kill(), cmd.Wait())
}

func (srv *served) stop() error {
	return errors.Join(srv.cmd.Process.Signal(os.Interrupt), srv.cmd.Wait())
}

// script is what has wrk ask for paths one after the other, and say in one line what
// came of it.
const script = `
local paths, i = { %s }, 0
request = function()
	i = i %% #paths + 1
	return wrk.format(nil, paths[i])
end
done = function(s, latency)
	local e = s.errors
	print(string.format("measured %%d %%d %%d %%d %%d",
		s.requests, s.duration, latency:percentile(50), latency:percentile(99),
		e.connect + e.read + e.write + e.status + e.timeout))
end
`

// measure has wrk ask a route's paths for so long. Each of them is asked once before.
func (srv *served) measure(ctx context.Context, r *route, dir string, duration time.Duration) (l loadLine, err error) {
	quoted := make([]string, len(r.paths))
	for i, path := range r.paths {
		if err := srv.get(ctx, path, new(any)); err != nil {
			return l, err
		}
		quoted[i] = strconv.Quote("/api/v1" + path)
	}
	file := filepath.Join(dir, "wrk.lua")
	if err := os.WriteFile(file, fmt.Appendf(nil, script, strings.Join(quoted, ", ")), 0o600); err != nil {
		return l, err
	}
	before := cpuOf(srv.cmd.Process.Pid)
	cmd := exec.CommandContext(ctx, "wrk", "-t1", "-c"+strconv.Itoa(loadClients), fmt.Sprintf("-d%.0fs", duration.Seconds()),
		"--timeout", "30s", "-s", file, srv.url)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return l, fmt.Errorf("wrk: %w\n%s", err, text)
	}
	took := cpuOf(srv.cmd.Process.Pid) - before
	l, err = readWrk(string(text))
	l.Route = r.name
	if l.Requests > 0 {
		l.CPU = round(float64(took)/1e3/float64(l.Requests), 1)
	}
	now, peak := memoryOf(srv.cmd.Process.Pid)
	l.RSS, l.PeakRSS = round(float64(now)/(1<<20), 1), round(float64(peak)/(1<<20), 1)
	return l, err
}

// readWrk reads what the script says.
func readWrk(text string) (l loadLine, err error) {
	_, said, _ := strings.Cut(text, "measured ")
	var micros, p50, p99 int64
	if _, err := fmt.Sscan(said, &l.Requests, &micros, &p50, &p99, &l.Errors); err != nil || micros == 0 {
		return l, fmt.Errorf("wrk says %q, want a line of measurements: %w", text, err)
	}
	l.Clients, l.Seconds = loadClients, round(float64(micros)/1e6, 1)
	l.PerSecond = round(float64(l.Requests)*1e6/float64(micros), 1)
	l.P50, l.P99 = round(float64(p50)/1e3, 1), round(float64(p99)/1e3, 1)
	return l, nil
}
