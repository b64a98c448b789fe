package vital

import "math/bits"

// Each doubling has parts buckets. The first buckets hold one number each, the last one
// all that is larger than 2^largest, which is more than a week of microseconds.
const (
	parts    = 4
	largest  = 40
	nBuckets = (largest-2)*parts + parts + 1
)

// Histogram counts numbers that are not negative by about how large they are: to an
// eighth.
type Histogram struct {
	counts [nBuckets]int64
	N      int64
	Sum    int64
}

// Add counts a number.
func (h *Histogram) Add(n int64) {
	n = max(n, 0)
	h.counts[bucket(uint64(n))]++
	h.N++
	h.Sum += n
}

// bucket gives where n counts: by its highest bit and the two after that.
func bucket(n uint64) int {
	if n < parts {
		return int(n)
	}
	top := bits.Len64(n) - 1
	return min((top-1)*parts+int(n>>(top-2))&(parts-1), nBuckets-1)
}

// floor gives the smallest number of a bucket.
func floor(i int) float64 {
	if i < parts {
		return float64(i)
	}
	top := i/parts + 1
	return float64(uint64(parts+i%parts) << (top - 2))
}

// Since gives what was counted after an earlier copy.
func (h *Histogram) Since(before *Histogram) Histogram {
	d := Histogram{N: h.N - before.N, Sum: h.Sum - before.Sum}
	for i := range h.counts {
		d.counts[i] = h.counts[i] - before.counts[i]
	}
	return d
}

// Quantile gives about the number that the given part of all are at most, 0 if there are
// none.
func (h *Histogram) Quantile(q float64) float64 {
	rank := q * float64(h.N)
	seen := 0.0
	for i, n := range h.counts {
		if n == 0 {
			continue
		}
		if seen+float64(n) >= rank {
			low, high := floor(i), floor(i+1)
			if i < parts {
				return low
			}
			return low + (high-low)*(rank-seen)/float64(n)
		}
		seen += float64(n)
	}
	return 0
}

// Below gives how many are less than each power of two from 2^from to 2^to.
func (h *Histogram) Below(from, to int) []int64 {
	sums := make([]int64, 0, to-from+1)
	sum, i := int64(0), 0
	for p := from; p <= to; p++ {
		for end := bucket(1 << p); i < end; i++ {
			sum += h.counts[i]
		}
		sums = append(sums, sum)
	}
	return sums
}
