package engine

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runnel-dev/runnel/internal/store"
)

// workerNames says what the workers are called that rows of task runs name by
// numbers. Who has the store alone counts them; where processes share it a number is
// made of the name, so that they need not agree on it. What it stands for is a record,
// in the first commit after the worker was given something.
type workerNames struct {
	own   atomic.Uint32 // that of this process; 0: it was not asked for yet
	fresh atomic.Bool   // there are some to write

	mu      sync.RWMutex
	names   map[uint32]*workerName
	numbers map[string]uint32
	gone    []uint32 // whose records are to go
	last    uint32   // the highest, which is never trimmed; not counted if the store is shared
	shared  bool

	reading sync.Mutex
	read    time.Time // when the records were; guarded by reading
}

type workerName struct {
	Name  string `json:"name"`
	Since int64  `json:"since"` // when a process last began to use it, in microseconds

	used   bool // by this process
	stored bool // as it is
}

const (
	// workerKind is the kind of the records, by number.
	workerKind = "worker"
	// workersKept is how many have a record: what they began last is the youngest. What
	// rows say of others stands for nothing any more.
	workersKept = 4096
	// workerBits is how long a number that is made of a name is: four bytes of a row.
	workerBits = 27
	// workersAgain is after what time the records are read again for a number that
	// others have given out.
	workersAgain = time.Second
)

// workerNumber is the number of a name, if no other has it.
func workerNumber(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return (h.Sum32()^h.Sum32()>>workerBits)&(1<<workerBits-1) | 1
}

// name gives the name that a number stands for, "" if that is not known here.
func (w *workerNames) name(number uint32) string {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if x := w.names[number]; x != nil {
		return x.Name
	}
	return ""
}

// known gives the number of a worker, 0 if it has none.
func (w *workerNames) known(name string) uint32 {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.numbers[name]
}

// number gives that of a worker which is about to be given something.
func (w *workerNames) number(name string, now int64) uint32 {
	w.mu.RLock()
	n, known := w.numbers[name]
	known = known && w.names[n].used
	w.mu.RUnlock()
	if known {
		return n
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n, known = w.numbers[name]; !known {
		n = w.unused(name)
	}
	w.put(n, &workerName{Name: name, Since: now, used: true})
	w.trim(n)
	w.fresh.Store(true)
	return n
}

// unused gives a name a number that no other has. Called with mu.
func (w *workerNames) unused(name string) uint32 {
	if !w.shared {
		w.last++
		return w.last
	}
	n := workerNumber(name)
	for w.names[n] != nil {
		n = (n + 2) & (1<<workerBits - 1) // odd again, so never 0
	}
	return n
}

func (w *workerNames) put(n uint32, x *workerName) { w.names[n], w.numbers[x.Name] = x, n }

// trim forgets the one that was used longest ago, if they are too many, but for one
// and that of this process. Called with mu.
func (w *workerNames) trim(but uint32) {
	if len(w.names) <= workersKept {
		return
	}
	oldest, since := uint32(0), int64(math.MaxInt64)
	for n, x := range w.names {
		if n != but && n != w.own.Load() && (x.Since < since || x.Since == since && n < oldest) {
			oldest, since = n, x.Since
		}
	}
	delete(w.numbers, w.names[oldest].Name)
	delete(w.names, oldest)
	w.gone = append(w.gone, oldest)
}

// writes gives what a commit is to write, nil for nothing; wrote says that it has.
func (w *workerNames) writes() (list []store.RecordWrite) {
	if !w.fresh.Load() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.gone {
		if w.names[n] == nil {
			list = append(list, store.RecordWrite{Kind: workerKind, Key: workerKey(n)})
		}
	}
	for n, x := range w.names {
		if x.used && !x.stored {
			value, _ := json.Marshal(x) //nolint:errchkjson // a string and a number always encode
			list = append(list, store.RecordWrite{Kind: workerKind, Key: workerKey(n), Value: value})
		}
	}
	return list
}

func (w *workerNames) wrote(list []store.RecordWrite) {
	if list == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range list {
		n := workerOf(list[i].Key)
		w.gone = slices.DeleteFunc(w.gone, func(o uint32) bool { return o == n })
		if x := w.names[n]; x != nil {
			x.stored = true
		}
	}
	left := len(w.gone) > 0
	for _, x := range w.names {
		left = left || x.used && !x.stored
	}
	w.fresh.Store(left)
}

func workerKey(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func workerOf(key string) uint32 {
	n, _ := strconv.ParseUint(key, 10, 32) // keys are our own
	return uint32(n)
}

// ownWorker is the number of this process.
func (e *Engine) ownWorker() uint32 {
	if n := e.workers.own.Load(); n != 0 {
		return n
	}
	n := e.workers.number(e.processName(), e.micros())
	e.workers.own.Store(n)
	return n
}

// processName is what this process is called among those on the store.
func (e *Engine) processName() string {
	if e.peers.node != nil {
		for _, m := range e.peers.node.Live() {
			if m.Session == e.peers.node.Self() {
				return m.Name
			}
		}
	}
	return store.ProcessName()
}

// workerName is name for what was stored: if others may have given out the number,
// the records are read again, at most once in a while.
func (e *Engine) workerName(number uint32) string {
	w := &e.workers
	name := w.name(number)
	if name != "" || number == 0 || e.peers.node == nil {
		return name
	}
	w.reading.Lock()
	defer w.reading.Unlock()
	if name = w.name(number); name != "" || e.now().Sub(w.read) < workersAgain {
		return name
	}
	w.read = e.now()
	if err := e.loadWorkers(e.closers.ctx); err != nil {
		e.log.Warn("names of workers can't be read", "error", err)
	}
	return w.name(number)
}

// loadWorkers reads the records. What this process uses stays as it is.
func (e *Engine) loadWorkers(ctx context.Context) error {
	found := make(map[uint32]*workerName)
	err := e.store.Records(ctx, workerKind, "", func(key string, value []byte) error {
		x := &workerName{stored: true}
		if n := workerOf(key); n != 0 && json.Unmarshal(value, x) == nil {
			found[n] = x
		}
		return nil
	})
	if err != nil {
		return err
	}
	w := &e.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.names
	w.shared = e.peers.node != nil
	w.names, w.numbers = make(map[uint32]*workerName, len(found)), make(map[string]uint32, len(found))
	for n, x := range found {
		w.put(n, x)
		w.last = max(w.last, n)
	}
	for n, x := range was {
		if x.used {
			w.put(n, x)
		}
	}
	return nil
}
