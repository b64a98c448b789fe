package main

import (
	"os"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// The processes that a workload starts are this program again.
func TestMain(m *testing.M) {
	if os.Getenv(partOf) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Every workload gives the right answers and measures something.
func TestWorkloads(t *testing.T) {
	for _, w := range workloads(true, 1) {
		if w.n = min(w.n, 300); strings.HasPrefix(w.name, "W2-1000") {
			w.n = 1000
		}
		t.Run(w.name+"/"+w.store, func(t *testing.T) {
			got, err := w.measure(t.Context(), &settings{dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			l := w.line(map[string][]sample{w.id(): {got}, w.ceiling: {{PerSecond: 2 * got.PerSecond}}})
			if l.Rate <= 0 || w.ceiling != "" && l.Ratio != 0.5 {
				t.Errorf("line %+v", l)
			}
		})
	}
}

// What a server does for a task does not grow with how many processes there are, and
// none waits for a row that another one has, or for the end of a table: eight do not ask for more than one.
func TestGrowth(t *testing.T) {
	all, err := growth(t.Context(), growthEach, []int{1, 8}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		if g.StatementsRatio > 1.5 || g.WALRatio > 1.2 || g.LockWait > 0 || g.Extend > 2 || g.Deadlocks > 0 || g.Rollbacks > int64(g.Processes) {
			t.Errorf("with %d processes: %+v", g.Processes, g)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 4}, 4},
		{[]float64{8, 1, 2, 4}, 3},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

// The store that is asked under load has what it is said to have.
func TestFilling(t *testing.T) {
	if got := fillingOf(1_000_000).tasks(); got < 1_000_000 || got > 1_000_010 {
		t.Errorf("a filling of 1,000,000 has %d", got)
	}
	f, dsn := fillingOf(1000), "sqlite:"+t.TempDir()+"/runnel.db"
	wide, err := f.fill(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	eng, err := runnel.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = eng.Close(t.Context()) }()
	all, ofWide := 0, 0
	for task, err := range eng.TaskRuns(t.Context(), api.TaskRunFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all++
		if task.Run == wide {
			ofWide++
		}
	}
	if all != f.tasks() || ofWide != f.children+2 {
		t.Errorf("%d task runs, %d of them of a wide run; want %d and %d", all, ofWide, f.tasks(), f.children+2)
	}
}

func TestReadsWhatWrkSays(t *testing.T) {
	got, err := readWrk("Running 1s test\n  50 connections\nmeasured 3000 1500000 20000 45500 2\n")
	want := loadLine{Clients: loadClients, Seconds: 1.5, Requests: 3000, PerSecond: 2000, P50: 20, P99: 45.5, Errors: 2}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := readWrk("unable to connect"); err == nil {
		t.Error("what is no measurement was read")
	}
}

// What is asked for is missed by errors, by few requests and by much memory, and said so.
func TestMissedUnderLoad(t *testing.T) {
	fine := loadLine{Requests: 6000, PerSecond: 1000, PeakRSS: loadMemory}
	for _, c := range []struct {
		name   string
		change func(*loadLine)
		route  route
		want   string
	}{
		{"all is fine", func(*loadLine) {}, route{}, ""},
		{"an error", func(l *loadLine) { l.Errors = 1 }, route{}, "1 of 6000 requests failed"},
		{"slow", func(l *loadLine) { l.PerSecond = 999 }, route{}, "999 requests/s, want 1000"},
		{"slow, but it searches", func(l *loadLine) { l.PerSecond = 5 }, route{searches: true}, ""},
		{"nothing", func(l *loadLine) { l.Requests, l.PerSecond = 0, 0 }, route{searches: true}, "nothing was answered"},
		{"memory", func(l *loadLine) { l.PeakRSS++ }, route{searches: true}, "257 MB"},
	} {
		l := fine
		c.change(&l)
		err := c.route.missed(&l, loadFloor)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
