package vital

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBuckets(t *testing.T) {
	last := -1
	for n := range uint64(5000) {
		i := bucket(n)
		if i < last || i > last+1 || floor(i) > float64(n) || floor(i+1) <= float64(n) {
			t.Fatalf("%d is in bucket %d from %g to %g; the one before it in %d", n, i, floor(i), floor(i+1), last)
		}
		last = i
	}
	for _, n := range []uint64{1 << 39, 1<<40 - 1, 1 << 40, math.MaxInt64} {
		if i := bucket(n); i < 0 || i >= nBuckets || n < 1<<40 && floor(i) > float64(n) {
			t.Errorf("%d is in bucket %d of %d", n, i, nBuckets)
		}
	}
}

// Quantiles of random numbers are within an eighth of those of the sorted list.
func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []int64
	for range 10_000 {
		n := int64(math.Exp(rng.Float64() * 25))
		all = append(all, n)
		h.Add(n)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.95, 0.99, 1} {
		want := float64(all[int(q*float64(len(all)))-1])
		if got := h.Quantile(q); math.Abs(got-want) > want/4+1 {
			t.Errorf("quantile %g is %g, want about %g", q, got, want)
		}
	}
	if got := new(Histogram).Quantile(0.5); got != 0 {
		t.Errorf("of nothing: %g", got)
	}
	more := h
	more.Add(7)
	if d := more.Since(&h); d.N != 1 || d.Sum != 7 || d.Quantile(0.5) < 7 || d.Quantile(0.5) >= 8 {
		t.Errorf("what came since: %d with the sum %d around %g", d.N, d.Sum, d.Quantile(0.5))
	}
}

func TestBelow(t *testing.T) {
	var h Histogram
	for _, n := range []int64{0, 1, 3, 4, 100, 127, 128, 1 << 50, -5} {
		h.Add(n)
	}
	if got := h.Below(2, 8); !slices.Equal(got, []int64{4, 5, 5, 5, 5, 7, 8}) {
		t.Errorf("below 4 … 256: %v", got)
	}
	if h.N != 9 {
		t.Errorf("%d were counted, want 9", h.N)
	}
}
