package main

import (
	"os"
	"strings"
	"testing"
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
