package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/runnel-dev/runnel"
)

// partOf is the variable with the DSN of a schema of which this process does a part.
const partOf = "RUNNEL_BENCH_PART"

// together does a workload in several processes on one schema, an equal part in
// each, from when all have it open until all of them are done. What it says of CPU
// and memory is of none of them.
func together(processes int) func(ctx context.Context, m *meter) error {
	return func(ctx context.Context, m *meter) error {
		return inSchema(ctx, func(dsn string) error {
			err := inParts(ctx, dsn, processes, m.w.n/processes, func(do func() error) error { return timed(m, do) })
			m.got.CPUMicros, m.got.Allocs, m.got.PeakRSS = 0, 0, 0
			return err
		})
	}
}

// inParts starts so many processes that do so many tasks each, and has f do it. They
// end afterwards.
func inParts(ctx context.Context, dsn string, processes, each int, f func(do func() error) error) error {
	var parts []*part
	for range processes {
		p, err := startPart(ctx, dsn, each)
		if err != nil {
			return errors.Join(err, endParts(parts))
		}
		parts = append(parts, p)
	}
	err := heard(parts, "ready")
	if err == nil {
		err = f(func() error {
			for _, p := range parts {
				if _, err := io.WriteString(p.in, "go\n"); err != nil {
					return err
				}
			}
			return heard(parts, "done")
		})
	}
	return errors.Join(err, endParts(parts))
}

// part is another process.
type part struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startPart(ctx context.Context, dsn string, n int) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &part{cmd: exec.CommandContext(ctx, self, "-part", strconv.Itoa(n))}
	p.cmd.Env = append(os.Environ(), partOf+"="+dsn)
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	return p, p.cmd.Start()
}

// heard waits until each part has said a word.
func heard(parts []*part, word string) error {
	for _, p := range parts {
		if !p.out.Scan() || p.out.Text() != word {
			return fmt.Errorf("a process says %q, want %q", p.out.Text(), word)
		}
	}
	return nil
}

func endParts(parts []*part) error {
	var problems []error
	for _, p := range parts {
		_ = p.in.Close() // it ends then, whatever it does
		for p.out.Scan() {
		}
		problems = append(problems, p.cmd.Wait())
	}
	return errors.Join(problems...)
}

// doPart is what such a process does.
func doPart(ctx context.Context, n int, in io.Reader, out io.Writer) error {
	return withEngineOn(ctx, os.Getenv(partOf), func(eng *runnel.Engine) error {
		if err := submitAll(ctx, eng, warmUp); err != nil { // it has its keys and its statements then
			return err
		}
		fmt.Fprintln(out, "ready")
		told := bufio.NewScanner(in)
		if !told.Scan() {
			return errors.New("nobody wants this part")
		}
		if err := submitAll(ctx, eng, n); err != nil {
			return err
		}
		fmt.Fprintln(out, "done")
		for told.Scan() { // the others may not be done
		}
		return nil
	})
}
