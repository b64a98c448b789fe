package main

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel"
)

// workload is one measurement: what is done, on which store, how often.
type workload struct {
	name    string
	store   string // memory, sqlite or postgres
	n       int
	runs    int    // at most that many rounds
	ceiling string // id of the bare writer that it is compared with
	do      func(ctx context.Context, m *meter) error
}

func (w *workload) id() string { return w.name + "/" + w.store + "/" + strconv.Itoa(w.n) }

// sample is what one run of a workload gave.
type sample struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	PeakRSS   int64   `json:"peak_rss"`
	CPUMicros float64 `json:"cpu_us"`
	Allocs    float64 `json:"allocs"`
	File      int64   `json:"file"`
}

// line is what is printed of a workload.
type line struct {
	Workload string  `json:"workload"`
	Store    string  `json:"store"`
	N        int     `json:"n"`
	Rate     float64 `json:"per_second"`
	Ceiling  float64 `json:"ceiling_per_second"`
	Ratio    float64 `json:"ratio"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	PeakRSS  float64 `json:"peak_rss_mb"`
	CPU      float64 `json:"cpu_us_per_task"`
	Allocs   float64 `json:"allocs_per_task"`
}

// line gives the medians of a workload's samples.
func (w *workload) line(all map[string][]sample) line {
	of := func(id string, field func(*sample) float64) float64 {
		var values []float64
		for i := range all[id] {
			values = append(values, field(&all[id][i]))
		}
		return median(values)
	}
	rate := func(s *sample) float64 { return s.PerSecond }
	l := line{
		Workload: w.name, Store: w.store, N: w.n,
		Rate:    round(of(w.id(), rate), 1),
		Ceiling: round(of(w.ceiling, rate), 1),
		P50:     round(of(w.id(), func(s *sample) float64 { return s.P50 }), 3),
		P99:     round(of(w.id(), func(s *sample) float64 { return s.P99 }), 3),
		PeakRSS: round(of(w.id(), func(s *sample) float64 { return float64(s.PeakRSS) / (1 << 20) }), 1),
		CPU:     round(of(w.id(), func(s *sample) float64 { return s.CPUMicros }), 2),
		Allocs:  round(of(w.id(), func(s *sample) float64 { return s.Allocs }), 1),
	}
	if l.Ceiling > 0 {
		l.Ratio = round(l.Rate/l.Ceiling, 3)
	}
	return l
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	mid := len(values) / 2
	if len(values)%2 == 1 {
		return values[mid]
	}
	return (values[mid-1] + values[mid]) / 2
}

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}

// meter measures what a workload does between start and stop.
type meter struct {
	w       *workload
	dir     string
	profile string // file for a CPU profile, "" for none

	began      time.Time
	cpu        time.Duration
	allocs     uint64
	cpuProfile *os.File
	latencies  []time.Duration
	got        sample
}

// measure does the workload and gives what was measured.
func (w *workload) measure(ctx context.Context, s *settings) (sample, error) {
	m := &meter{w: w, dir: s.dir, profile: s.cpuProfile}
	if err := w.do(ctx, m); err != nil {
		return m.got, err
	}
	if m.got.PerSecond == 0 {
		return m.got, errors.New("the workload measured nothing")
	}
	m.got.File = size(m.file())
	if s.memProfile == "" {
		return m.got, nil
	}
	f, err := os.Create(s.memProfile)
	if err != nil {
		return m.got, err
	}
	return m.got, errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

// file is that of a SQLite database.
func (m *meter) file() string { return filepath.Join(m.dir, "runnel.db") }

func (m *meter) start() error {
	runtime.GC()
	if m.profile != "" {
		f, err := os.Create(m.profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return errors.Join(err, f.Close())
		}
		m.cpuProfile = f
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	m.allocs, m.cpu, m.began = mem.Mallocs, cpuTime(), time.Now()
	return nil
}

// lap notes how long one task of many took, or one commit of a bare writer.
func (m *meter) lap(d time.Duration) { m.latencies = append(m.latencies, d) }

func (m *meter) stop() error {
	took, cpu := time.Since(m.began), cpuTime()-m.cpu
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	var err error
	if m.cpuProfile != nil {
		pprof.StopCPUProfile()
		err = m.cpuProfile.Close()
	}
	n := float64(m.w.n)
	m.got.PerSecond = n / took.Seconds()
	m.got.CPUMicros = float64(cpu) / 1e3 / n
	m.got.Allocs = float64(mem.Mallocs-m.allocs) / n
	m.got.PeakRSS = peakRSS()
	if len(m.latencies) > 0 {
		slices.Sort(m.latencies)
		m.got.P50 = float64(m.latencies[len(m.latencies)/2]) / 1e6
		m.got.P99 = float64(m.latencies[len(m.latencies)*99/100]) / 1e6
	}
	return err
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// withEngine opens an engine on a fresh database and closes it again.
func withEngine(ctx context.Context, m *meter, f func(eng *runnel.Engine) error) error {
	switch m.w.store {
	case "sqlite":
		return withEngineOn(ctx, "sqlite:"+m.file(), f)
	case "postgres":
		return inSchema(ctx, func(dsn string) error { return withEngineOn(ctx, dsn, f) })
	}
	return withEngineOn(ctx, "memory:", f)
}

func withEngineOn(ctx context.Context, dsn string, f func(eng *runnel.Engine) error) error {
	eng, err := runnel.Open(ctx, dsn, runnel.Register(inc, limited, turned, counted, numbers, sum, add, countTo, check, caller, submitter, kept, keeper))
	if err != nil {
		return err
	}
	return errors.Join(f(eng), eng.Close(ctx))
}
