package engine

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// A live task is found by its number, at a cost that does not grow with their
// number.
func TestLiveTasksAreFoundByNumber(t *testing.T) {
	for _, stride := range []int64{1, 16, 17, 1024} {
		var l taskList
		rng := rand.New(rand.NewPCG(1, uint64(stride)))
		live := make(map[int64]*task)
		check := func() {
			t.Helper()
			n := 0
			for task := range l.all() {
				if n++; live[task.seq] != task {
					t.Fatalf("stride %d: %d is in the list, and was not added", stride, task.seq)
				}
			}
			if n != len(live) || n != l.n {
				t.Fatalf("stride %d: the list has %d, counts %d, want %d", stride, n, l.n, len(live))
			}
			for seq, want := range live {
				if l.find(seq) != want || l.find(seq+stride*1e6) != nil {
					t.Fatalf("stride %d: among %d, %d is not found, or what is not there is", stride, n, seq)
				}
			}
		}
		for i := range int64(20_000) {
			added := &task{seq: i * stride}
			l.add(added)
			l.add(added) // once is enough
			live[added.seq] = added
			if rng.IntN(3) == 0 {
				gone := rng.Int64N(i+1) * stride
				if task := live[gone]; task != nil {
					l.remove(task)
					l.remove(task)
					delete(live, gone)
				}
			}
			if i < 50 || i%5000 == 0 {
				check()
			}
		}
		check()
		for i := range l.buckets {
			n := 0
			for task := l.buckets[i]; task != nil; task = task.peer {
				n++
			}
			if n > 12 {
				t.Errorf("stride %d: %d of %d tasks are in one of %d buckets", stride, n, l.n, len(l.buckets))
			}
		}
		for _, task := range live {
			l.remove(task)
		}
		if l.first != nil || l.last != nil || l.n != 0 {
			t.Errorf("stride %d: %d left", stride, l.n)
		}
	}
}

// Of many some are given: the oldest, and the newest.
func TestSomeLiveTasks(t *testing.T) {
	for _, c := range []struct {
		n    int64
		want []int64
	}{
		{0, nil},
		{3, []int64{0, 1, 2}},
		{4, []int64{0, 1, 2, 3}},
		{5, []int64{0, 1, 3, 4}},
		{1000, []int64{0, 1, 998, 999}},
	} {
		var l taskList
		for i := range c.n {
			l.add(&task{seq: i})
		}
		var got []int64
		for task := range l.some(4) {
			got = append(got, task.seq)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("4 of %d: %v, want %v", c.n, got, c.want)
		}
	}
}

// TestTaskFitsItsSizeClass: each live task is one of these, so their size is what a
// run with a million tasks holds.
func TestTaskFitsItsSizeClass(t *testing.T) {
	const class, header = 768, 8 // of Go's allocator, for what holds pointers
	if size := reflect.TypeFor[task]().Size(); size > class-header {
		t.Errorf("a task has %d bytes, want %d at most: see task", size, class-header)
	}
}

// TestRunAndChangeFitTheirSizeClasses: a run is of the class in which each begins where a
// line of the processor's cache does; a change, of which there is one for each event, has
// what is left beside the allocator's header.
func TestRunAndChangeFitTheirSizeClasses(t *testing.T) {
	const class, header = 640, 8
	if size := reflect.TypeFor[run]().Size(); size <= 480 || size > 512 {
		t.Errorf("a run has %d bytes, want more than 480, the class below, and 512 at most: see run", size)
	}
	if size := reflect.TypeFor[change]().Size(); size > class-header {
		t.Errorf("a change has %d bytes, want %d at most: see beyond", size, class-header)
	}
}
