package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// peersFolder is the variable with the folder of the rivals' harnesses: a module for
// each, whose program takes -backend, -dsn and -w, and prints a JSON line for each
// workload. They are measured on the same server, in the same rounds.
const peersFolder = "RUNNEL_PEERS"

// rival is what one of our workloads is compared with.
type rival struct {
	ours                    string
	peer, backend, workload string
	latency                 bool // p50 is compared, not the rate
}

var rivals = []rival{
	{"W1-bulk/postgres/100000", "river", "postgres-tuned", "W1", false},
	{"W2-20/postgres/2000", "dbos", "postgres", "W2", false},
	{"W3-each/postgres/10000", "dbos", "postgres", "W3-10000", false},
	{"W3-each/postgres/100000", "dbos", "postgres", "W3-10000", false},
	{"W4/postgres/300", "dbos", "postgres", "W4-direct", true},
}

func (r *rival) id() string { return r.peer + "/" + r.backend + "/" + r.workload }

// peers measures rivals.
type peers struct {
	bin     string
	wanted  []rival
	samples map[string][]sample
}

// newPeers builds the harnesses of the rivals that are wanted; none without a
// folder.
func newPeers(ctx context.Context, chosen []*workload, bin string) (*peers, error) {
	p := &peers{bin: bin, samples: make(map[string][]sample)}
	folder := os.Getenv(peersFolder)
	if folder == "" {
		return p, nil
	}
	built := make(map[string]bool)
	for _, r := range rivals {
		for _, w := range chosen {
			if w.id() == r.ours {
				p.wanted = append(p.wanted, r)
				built[r.peer] = true
			}
		}
	}
	for peer := range built {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(bin, peer), ".")
		cmd.Dir = filepath.Join(folder, peer)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s of %s: %w\n%s", peer, peersFolder, err, out)
		}
	}
	return p, nil
}

// round measures each rival once, on a fresh database.
func (p *peers) round(ctx context.Context, progress io.Writer) error {
	done := make(map[string]bool)
	for _, r := range p.wanted {
		if done[r.id()] {
			continue
		}
		done[r.id()] = true
		s, err := p.measure(ctx, &r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.id(), err)
		}
		p.samples[r.id()] = append(p.samples[r.id()], s)
		fmt.Fprintf(progress, "       %-26s %9.0f/s  p50 %.3f ms\n", r.id(), s.PerSecond, s.P50)
	}
	return nil
}

func (p *peers) measure(ctx context.Context, r *rival) (s sample, err error) {
	const database = "runnel_bench_peer"
	u, err := url.Parse(os.Getenv(server))
	if err != nil {
		return s, err
	}
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return s, err
	}
	defer conn.Close(ctx)
	drop := "DROP DATABASE IF EXISTS " + database + " WITH (FORCE)"
	for _, text := range []string{drop, "CREATE DATABASE " + database, "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, text); err != nil {
			return s, err
		}
	}
	defer func() {
		_, dropped := conn.Exec(ctx, drop)
		err = errors.Join(err, dropped)
	}()
	u.Path = "/" + database
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, r.peer), "-backend", r.backend, "-dsn", u.String(), "-w", r.workload)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return s, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	for in := bufio.NewScanner(bytes.NewReader(out)); in.Scan(); {
		var l struct {
			Workload, Error string
			PerSecond       float64 `json:"per_second"`
			P50             float64 `json:"p50_ms"`
		}
		if json.Unmarshal(in.Bytes(), &l) != nil || l.Workload != r.workload {
			continue
		}
		if l.Error != "" {
			return s, errors.New(l.Error)
		}
		return sample{PerSecond: l.PerSecond, P50: l.P50}, nil
	}
	return s, fmt.Errorf("it prints no line of %s\n%s", r.workload, stderr.String())
}

// comparison is a line of medians. Of rates, and of latencies turned round, more
// than 1 is better than the rival.
type comparison struct {
	Workload string  `json:"workload"`
	Rival    string  `json:"rival"`
	Unit     string  `json:"unit"`
	Ours     float64 `json:"ours"`
	Theirs   float64 `json:"theirs"`
	Ratio    float64 `json:"ratio"`
}

func (p *peers) print(enc *json.Encoder, ours map[string][]sample) error {
	for _, r := range p.wanted {
		of := func(list []sample) float64 {
			var values []float64
			for _, s := range list {
				if r.latency {
					values = append(values, s.P50)
				} else {
					values = append(values, s.PerSecond)
				}
			}
			return median(values)
		}
		c := comparison{r.ours, r.id(), "per_second", of(ours[r.ours]), of(p.samples[r.id()]), 0}
		better, worse := c.Ours, c.Theirs
		if r.latency {
			c.Unit = "p50_ms"
			better, worse = worse, better
		}
		if worse > 0 {
			c.Ratio = round(better/worse, 2)
		}
		c.Ours, c.Theirs = round(c.Ours, 3), round(c.Theirs, 3)
		if err := enc.Encode(c); err != nil {
			return err
		}
	}
	return nil
}
