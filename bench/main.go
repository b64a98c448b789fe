package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// settings are what the command line says.
type settings struct {
	runs       int
	quick      bool
	list       bool
	only       string
	dir        string
	cpuProfile string
	memProfile string
	child      string // the measurement to do in this process
	growth     bool
	load       string // the program that is to serve under load
	tasks      int
	duration   time.Duration
	floor      float64
	part       int // how many tasks this process does of a measurement by several
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&s.runs, "runs", 7, "how often each measurement is done; the medians are printed")
	flags.BoolVar(&s.quick, "quick", false, "one run, a tenth of the tasks: to see that it works")
	flags.BoolVar(&s.list, "list", false, "print the names of the measurements and do nothing")
	flags.StringVar(&s.only, "only", "", "measure what matches this regular expression, such as '^W3.*/sqlite/1000000$', and its ceilings")
	flags.StringVar(&s.dir, "dir", "", "where the files are made (default: the temporary folder, if that is on a disk)")
	flags.StringVar(&s.cpuProfile, "cpuprofile", "", "write CPU profiles of the last run into this folder")
	flags.StringVar(&s.memProfile, "memprofile", "", "write allocation profiles of the last run into this folder")
	flags.StringVar(&s.child, "child", "", "do this one measurement in this process; used by bench itself")
	flags.BoolVar(&s.growth, "growth", false, "instead: count what a PostgreSQL server does for each task, with 1, 2, 4 and 8 processes")
	flags.StringVar(&s.load, "load", "", "instead: ask this `program`, runnel, for lists over many task runs, by 50 clients with wrk")
	flags.IntVar(&s.tasks, "tasks", 1_000_000, "how many task runs, with -load")
	flags.DurationVar(&s.duration, "duration", time.Minute, "how long the first list is asked for with -load; and those that search; the others a sixth of it")
	flags.Float64Var(&s.floor, "floor", loadFloor, "how many requests a second are wanted with -load")
	flags.IntVar(&s.part, "part", 0, "do so many tasks beside other processes; used by bench itself")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if s.quick {
		s.runs, s.tasks, s.duration = 1, s.tasks/10, s.duration/10
	}
	if s.runs < 1 {
		return fmt.Errorf("-runs=%d: want 1 or more", s.runs)
	}
	switch {
	case s.part > 0:
		return doPart(ctx, s.part, os.Stdin, out)
	case s.load != "":
		return load(ctx, &s, out, progress)
	case s.growth:
		_, err := growth(ctx, growthEach, []int{1, 2, 4, 8}, out)
		return err
	case s.child != "":
		return measureHere(ctx, &s, out)
	}
	return measureAll(ctx, &s, out, progress)
}

// measureAll does the rounds, each measurement in a process of its own, and
// prints the medians.
func measureAll(ctx context.Context, s *settings, out, progress io.Writer) error {
	chosen, err := choose(s)
	if err != nil {
		return err
	}
	if s.list {
		for _, w := range chosen {
			fmt.Fprintln(out, w.id())
		}
		return nil
	}
	if s.dir, err = onDisk(s.dir); err != nil {
		return err
	}
	for _, dir := range []string{s.cpuProfile, s.memProfile} {
		if dir != "" {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
	}
	bin, err := os.MkdirTemp(s.dir, "runnel-bench-peers-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(bin) }() // programs only
	others, err := newPeers(ctx, chosen, bin)
	if err != nil {
		return err
	}
	samples := make(map[string][]sample)
	for round := range s.runs {
		for _, w := range chosen {
			if round > 0 && round >= w.runs {
				continue
			}
			got, err := measureThere(ctx, s, w, round)
			if err != nil {
				return fmt.Errorf("%s: %w", w.id(), err)
			}
			samples[w.id()] = append(samples[w.id()], got)
			fmt.Fprintf(progress, "run %d: %-26s %9.0f/s  %7.2f µs CPU  %6.1f allocations  %5d MB  file %d MB\n",
				round+1, w.id(), got.PerSecond, got.CPUMicros, got.Allocs, got.PeakRSS>>20, got.File>>20)
		}
		if err := others.round(ctx, progress); err != nil {
			return err
		}
	}
	enc := json.NewEncoder(out)
	for _, w := range chosen {
		if err := enc.Encode(w.line(samples)); err != nil {
			return err
		}
	}
	return others.print(enc, samples)
}

// choose gives the measurements that are wanted, each after its ceiling.
func choose(s *settings) ([]*workload, error) {
	only, err := regexp.Compile(s.only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	all := workloads(s.quick, s.runs)
	wanted := make(map[string]bool)
	for _, w := range all {
		if only.MatchString(w.id()) {
			wanted[w.id()], wanted[w.ceiling] = true, true
		}
	}
	var chosen []*workload
	for _, w := range all {
		if wanted[w.id()] {
			chosen = append(chosen, w)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only=%s: nothing matches; see -list", s.only)
	}
	return chosen, nil
}

// measureThere does one measurement in a process of its own.
func measureThere(ctx context.Context, s *settings, w *workload, round int) (got sample, err error) {
	dir, err := os.MkdirTemp(s.dir, "runnel-bench-")
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	self, err := os.Executable()
	if err != nil {
		return got, err
	}
	args := []string{"-child", w.id(), "-dir", dir, fmt.Sprintf("-quick=%t", s.quick)}
	if round == min(s.runs, w.runs)-1 {
		name := strings.ReplaceAll(w.id(), "/", "-") + ".pprof"
		if s.cpuProfile != "" {
			args = append(args, "-cpuprofile", filepath.Join(s.cpuProfile, name))
		}
		if s.memProfile != "" {
			args = append(args, "-memprofile", filepath.Join(s.memProfile, name))
		}
	}
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err != nil {
		return got, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	return got, json.Unmarshal(answer, &got)
}

// measureHere does one measurement in this process and prints the sample.
func measureHere(ctx context.Context, s *settings, out io.Writer) error {
	for _, w := range workloads(s.quick, s.runs) {
		if w.id() == s.child {
			got, err := w.measure(ctx, s)
			if err != nil {
				return err
			}
			return json.NewEncoder(out).Encode(got)
		}
	}
	return fmt.Errorf("-child=%s: no such measurement", s.child)
}
