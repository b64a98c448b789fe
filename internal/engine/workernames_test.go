package engine

import (
	"fmt"
	"testing"

	"github.com/runnel-dev/runnel/internal/store"
)

func emptyNames() *workerNames {
	return &workerNames{names: make(map[uint32]*workerName), numbers: make(map[string]uint32)}
}

func TestWorkersHaveNumbersOfTheirOwn(t *testing.T) {
	w := emptyNames()
	w.shared = true
	taken := workerNumber("gpu-1")
	w.put(taken, &workerName{Name: "another", stored: true}) // of the records
	n := w.number("gpu-1", 1)
	if again := w.number("gpu-1", 2); n != again || n == taken || n == 0 {
		t.Errorf("number of gpu-1 = %d, then %d; want one that is not 0 nor %d, twice", n, again, taken)
	}
	if w.name(n) != "gpu-1" || w.name(taken) != "another" || w.name(0) != "" {
		t.Errorf("numbers %d, %d, 0 stand for %q, %q, %q; want gpu-1, another and nothing", n, taken, w.name(n), w.name(taken), w.name(0))
	}
}

// TestNamesOfWorkersAreWrittenUntilTheyAre: a commit that fails writes nothing, so the
// next one has the names again.
func TestNamesOfWorkersAreWrittenUntilTheyAre(t *testing.T) {
	w := emptyNames()
	if list := w.writes(); list != nil {
		t.Errorf("writes %v before anybody was named", list)
	}
	first := w.number("a", 1)
	failed := w.writes()
	second := w.number("b", 2)
	list := w.writes()
	if len(failed) != 1 || len(list) != 2 {
		t.Fatalf("writes %d, then %d names; want 1, 2", len(failed), len(list))
	}
	w.wrote(failed)
	if list = w.writes(); len(list) != 1 || list[0].Key != workerKey(second) {
		t.Errorf("writes %v after %d was written; want %d", list, first, second)
	}
	w.wrote(list)
	if list = w.writes(); list != nil {
		t.Errorf("writes %v when all is written", list)
	}
}

func TestOldNamesOfWorkersGo(t *testing.T) {
	w := emptyNames()
	own := w.number("own", 0)
	w.own.Store(own)
	for i := range workersKept {
		w.number(fmt.Sprint("worker-", i), int64(1+i))
	}
	var removed []store.RecordWrite
	for _, write := range w.writes() {
		if write.Value == nil {
			removed = append(removed, write)
		}
	}
	if _, there := w.numbers["worker-0"]; there || len(w.names) != workersKept || len(w.numbers) != workersKept || len(removed) != 1 {
		t.Errorf("%d names, %d removed, the oldest is there: %t; want %d, 1 and not", len(w.names), len(removed), there, workersKept)
	}
	if w.name(own) != "own" {
		t.Error("the process's own name went")
	}
	if n := w.number("worker-0", workersKept+1); n != workersKept+2 {
		t.Errorf("worker-0 has the number %d when it comes back, want %d: rows have the others", n, workersKept+2)
	}
}

func TestRecentTaskRunsOfWorkers(t *testing.T) {
	x := recent{rings: make(map[uint32]*endedRing)}
	end := func(worker uint32, seq int64) {
		one := &task{run: new(run), seq: seq}
		one.cell.Begun, one.cell.Worker = 1, worker
		x.put(one)
	}
	x.put(&task{run: new(run)}) // whose body never began
	for n := range int64(2*recentKept + 7) {
		end(1, n)
		list := x.of(1)
		if want := min(int(n)+1, recentKept); len(list) != want || list[0].seq != n || list[want-1].seq != n+1-int64(want) {
			t.Fatalf("after %d of them: %d, from %d to %d; want %d, the last first", n+1, len(list), list[0].seq, list[len(list)-1].seq, want)
		}
	}
	for worker := range uint32(recentWorkers) {
		end(2+worker, 0)
	}
	if len(x.rings) != recentWorkers || x.of(1) != nil || x.of(2) == nil {
		t.Errorf("of %d workers is something kept, of the first %d task runs; want %d and none", len(x.rings), len(x.of(1)), recentWorkers)
	}
}
