package engine

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// run is a live run. There are many, most of them out of the processor's cache: what each
// transition looks at stands first. What has no word about it is guarded by mu.
type run struct {
	mu     sync.Mutex
	state  api.State
	wide   bool // its changes go into the queue for wide runs
	broken bool // no longer in step with the store
	gen    int32
	epoch  int32
	acts   int32 // of control, counted
	seq    int64 // number of the next block
	root   *pipeline.Frame
	e      *Engine // this and the next two never change
	handle *Handle
	id     int64
	counts counts
	lanes  lanes    // the dispatcher's
	live   taskList // started, or about to, and not durably ended

	groups   map[int64]*group
	rows     map[int64]reopened  // task rows of an earlier attempt that start anew
	reopened map[int64]bool      // chain frames that a retry of the run made a row for
	finish   *pipeline.Effect    // the run's end, held back while it is paused
	pending  map[int64]*awaiting // calls of flows that are not made yet, by number
	rec      *recovery           // for flows that were recovered; nil if there are none

	// These never change, but for lines, rung when lines of its bodies are durable.
	made    *made // by a schedule, for a trace; nil for neither
	lines   bell
	uid     uuid.UUID
	text    string // uid as text
	first   string // id of the first task run, which text is the beginning of
	name    string
	base    int64
	created int64
	_       [8]byte // into the class of 512: each begins where a line of the cache does
}

// stand is the attempt and generation that a row has.
type stand struct{ attempt, gen int32 }

// reopened is what the row of a task that starts anew says.
type reopened struct {
	stand

	anew, start int64 // see store.TaskCell
	history     []byte
	child       *heldChild
}

// heldChild is a child of a group that has records of an earlier generation, and
// begins again when there is room.
type heldChild struct {
	group *group
	index int
	begun bool
}

func (e *Engine) newRun(id int64, uid uuid.UUID, name string) *run {
	first := firstTask(uid)
	r := &run{e: e, id: id, uid: uid, text: first[:idLen], first: first, name: name, state: api.Running}
	r.handle = &Handle{e: e, id: r.text}
	lane := &r.lanes.first
	lane.of, lane.key, lane.round = &r.lanes, &plainLane, e.dispatch.home
	return r
}

// newUID makes a UUIDv7 that carries the run's number in 50 of its random bits,
// so that the number is found without an index. 24 bits stay random.
func newUID(at time.Time, number int64, random uint64) uuid.UUID {
	var u uuid.UUID
	ms := at.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	n := uint64(number)
	u[6] = 0x70 | byte(n>>46)&0x0f
	u[7] = byte(n >> 38)
	u[8] = 0x80 | byte(n>>32)&0x3f
	u[9], u[10], u[11], u[12] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	u[13], u[14], u[15] = byte(random>>16), byte(random>>8), byte(random)
	return u
}

// numberOf reads the run's number out of its id.
func numberOf(u uuid.UUID) int64 {
	return int64(u[6]&0x0f)<<46 | int64(u[7])<<38 | int64(u[8]&0x3f)<<32 |
		int64(u[9])<<24 | int64(u[10])<<16 | int64(u[11])<<8 | int64(u[12])
}

func parseID(id string) (uuid.UUID, error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return u, api.Errorf(api.ErrNotFound, "", "no run %q: not an id", id)
	}
	return u, nil
}

// idLen is how long a run's id is.
const idLen = 36

// firstTask gives the id of a run's first task run. Most runs have no other, so that
// one text does for both.
func firstTask(run uuid.UUID) string {
	var buf [idLen + 2]byte
	id, _ := run.MarshalText() // gives no error
	copy(buf[copy(buf[:], id):], "/0")
	return string(buf[:])
}

func (r *run) taskID(seq int64) string {
	if seq == 0 {
		return r.first
	}
	var buf [64]byte
	return string(strconv.AppendInt(append(append(buf[:0], r.text...), '/'), seq, 10))
}

// Outcome is how a run ended.
type Outcome struct {
	State      api.State
	Result     []byte // JSON, nil for no value
	Failure    *api.Failure
	FinalState []byte // JSON, nil for none
}

// Handle is a run to wait for.
type Handle struct {
	e  *Engine
	id string

	mu    sync.Mutex
	ended bool
	away  bool          // another engine has the run; it is attended to when somebody waits
	done  chan struct{} // made by the first who has to wait

	// Once ended:
	err error
	end *ending
}

// ending is how a run ended, and of what its row says only what is given to who asks.
type ending struct {
	state   api.State
	result  store.Payload
	failure []byte // JSON of api.Failure
	final   []byte // the final state
}

func endOf(state api.State, cell *store.RunCell) *ending {
	return &ending{state, cell.Result, cell.Failure, cell.State}
}

// Elsewhere is the handle of a run that no engine of this process can have. It knows
// the run's id, and is not to be waited for.
func Elsewhere(id string) *Handle { return &Handle{id: id} }

// ID is the run's id.
func (h *Handle) ID() string { return h.id }

// Wait blocks until the run has ended durably, or ctx ends.
func (h *Handle) Wait(ctx context.Context) (Outcome, error) {
	select {
	case <-h.wait():
	case <-ctx.Done():
		return Outcome{}, context.Cause(ctx)
	}
	if h.err != nil {
		return Outcome{}, h.err
	}
	return h.e.outcome(ctx, h.end)
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// wait gives what is closed when the run has ended.
func (h *Handle) wait() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
		return closedChannel
	case h.done == nil:
		h.done = make(chan struct{})
		if h.away {
			h.e.beside(func() { h.e.attend(h) })
		}
	}
	return h.done
}

// is says how the run ended, once.
func (h *Handle) is(end *ending, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	h.ended, h.end, h.err = true, end, err
	if h.done != nil {
		close(h.done)
	}
}

func (h *Handle) settle(state api.State, cell *store.RunCell) { h.is(endOf(state, cell), nil) }

func (h *Handle) fail(err error) { h.is(nil, err) }

func (h *Handle) abandon() {
	if lost := h.e.Lost(); lost != nil {
		select {
		case <-lost:
			h.fail(ErrLost)
			return
		default:
		}
	}
	h.fail(api.Errorf(api.ErrClosed, "", "engine closed before run %s ended", h.id))
}

// outcome reads how a run ended.
func (e *Engine) outcome(ctx context.Context, end *ending) (Outcome, error) {
	out := Outcome{State: end.state, FinalState: end.final}
	var err error
	if out.Result, err = e.load(ctx, end.result); err != nil {
		return Outcome{}, err
	}
	if end.failure != nil {
		out.Failure = new(api.Failure)
		if err := json.Unmarshal(end.failure, out.Failure); err != nil {
			return Outcome{}, api.Errorf(api.ErrStore, "", "stored failure: %w", err)
		}
	}
	return out, nil
}
