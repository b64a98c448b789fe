package storetest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var contentChecks = []check{
	{"blocks come by Seq", blocksBySeq},
	{"block that exists fences", blockExists},
	{"logs come in the order of commits", logsInOrder},
	{"lines are numbered without gaps", logsNumbered},
	{"logs end early, with the error given", logsEndEarly},
	{"keyed state is kept and deleted", keyedState},
	{"keys are never given out twice", reserveKeys},
	{"all of a batch or nothing", allOrNothing},
	{"an empty batch", emptyBatch},
	{"location", location},
}

func blocks(run int64, bs ...store.Block) *store.Transition {
	t := at(run)
	t.Blocks = bs
	return t
}

func blocksBySeq(e env) {
	e.commit(newRun(1), newRun(2))
	want := []store.Block{
		{Run: 1, First: 900, Count: 16, Seq: 0},
		{Run: 1, First: 100, Count: 1 << 40, Seq: 16, Frame: 3},
		{Run: 1, First: 500, Count: 1, Seq: 1 << 41, Frame: 900},
	}
	e.commit(blocks(1, want[1], want[0]), blocks(2, store.Block{Run: 2, First: 100, Count: 1}))
	e.commit(blocks(1, want[2]))
	got, err := e.s.Blocks(e.t.Context(), 1)
	e.ok("Blocks", err)
	e.equal("blocks", got, want)
	e.commit(newRun(3))
	rows, err := e.s.Runs(e.t.Context(), api.RunFilter{}, 0, 10)
	e.ok("Runs", err)
	for _, r := range rows {
		e.equal("a run is alone", r.Alone, r.ID == 3)
		r, err = e.s.Run(e.t.Context(), r.ID)
		e.ok("Run", err)
		e.equal("a run, read by its number, is alone", r.Alone, r.ID == 3)
	}
	var many []store.Block
	for i := range int64(157) {
		many = append(many, store.Block{Run: 2, First: 5000 - i*16, Count: 16, Seq: i * 16})
	}
	e.commit(blocks(2, many...))
	got, err = e.s.Blocks(e.t.Context(), 2)
	e.ok("Blocks", err)
	e.equal("number of blocks", len(got), 158)
}

func blockExists(e env) {
	e.commit(newRun(1), blocks(1, store.Block{Run: 1, First: 100, Count: 16}))
	e.fenced("a block that exists", blocks(1, store.Block{Run: 1, First: 200, Count: 1}, store.Block{Run: 1, First: 100, Count: 1}))
	e.fenced("twice in a batch", blocks(1, store.Block{Run: 1, First: 200}), blocks(1, store.Block{Run: 1, First: 200}))
	e.commit(blocks(1, store.Block{Run: 1, First: 200, Seq: 16}))
}

func logs(run int64, texts ...string) *store.Transition {
	t := at(run)
	for i, text := range texts {
		t.Logs = append(t.Logs, store.LogWrite{
			TaskRun: fmt.Sprintf("r%d/%d", run, i), Task: "add", Attempt: 2, Level: "INFO", Text: text,
			Time: time.UnixMicro(born + int64(i)).UTC(),
		})
	}
	return t
}

func logsInOrder(e env) {
	e.commit(newRun(1), newRun(2))
	e.commit(logs(1, "c", "b"), logs(2, "x"), logs(1, "a"))
	zero := logs(1, "")
	zero.Logs[0].LogLine = api.LogLine{}
	e.commit(logs(2, "y", "z"), zero)
	want := []api.LogLine{logs(1, "c").Logs[0].LogLine, logs(1, "", "b").Logs[1].LogLine, logs(1, "a").Logs[0].LogLine, {}}
	for i := range want {
		want[i].Line = int64(i) + 1
	}
	c := e.content()
	e.equal("lines of run 1", c.Logs[3:], want) // the newest run is first
	e.equal("lines of run 2", c.Logs[0].Text+c.Logs[1].Text+c.Logs[2].Text, "xyz")
	var many []string
	for i := range 1237 {
		many = append(many, strconv.Itoa(i))
	}
	e.commit(newRun(3), logs(3, many...))
	for i, l := range e.content().Logs[:len(many)] {
		e.equal("text", l.Text, many[i])
		e.equal("number", l.Line, int64(i)+1)
	}
	for _, from := range []int64{-1, 0, 1, 2, 1000, 1237, 1238, 5000} {
		next := max(from, 1)
		err := e.s.Logs(e.t.Context(), 3, from, func(l api.LogLine) error {
			e.equal("number", l.Line, next)
			next++
			return nil
		})
		e.ok("Logs", err)
		if from <= 1238 {
			e.equal("end", next, int64(1238))
		}
	}
}

// A batch that is refused uses no numbers, and a run that is retried goes on
// with its own.
func logsNumbered(e env) {
	e.commit(newRun(1), logs(1, "a"))
	e.fenced("a misfit", logs(1, "b", "c"), newRun(1))
	e.commit(logs(1, "d"), setRun(1, 1, store.RunSet{State: api.Failed, Epoch: 1}))
	retry := logs(1, "e")
	retry.SetRun = &store.RunSet{State: api.Running, Gen: 1, Epoch: 1}
	e.commit(retry, logs(1, "f"))
	e.commit(logs(1, "g"))
	var texts []string
	for i, l := range e.content().Logs {
		e.equal("number", l.Line, int64(i)+1)
		texts = append(texts, l.Text)
	}
	e.equal("lines", texts, []string{"a", "d", "e", "f", "g"})
}

func logsEndEarly(e env) {
	e.commit(newRun(1), logs(1, "a", "b", "c"))
	stop, n := errors.New("stop"), 0
	err := e.s.Logs(e.t.Context(), 1, 1, func(api.LogLine) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if err != stop || n != 2 { //nolint:errorlint // as it is
		e.t.Errorf("Logs gave %v after %d lines, want %v after 2", err, n, stop)
	}
}

func keyed(run int64, writes ...store.KeyedWrite) *store.Transition {
	t := at(run)
	t.Keyed = writes
	return t
}

func keyedState(e env) {
	e.commit(newRun(1), newRun(2))
	want := func(id, value string) {
		e.t.Helper()
		got, err := e.s.Keyed(e.t.Context(), id)
		e.ok("Keyed", err)
		if value == "nil" && got != nil || value != "nil" && (got == nil || string(got) != value) {
			e.t.Errorf("state of %q: %q, want %q", id, got, value)
		}
	}
	want("a", "nil")
	e.commit(keyed(1, store.KeyedWrite{TaskID: "a", Value: []byte("1")}, store.KeyedWrite{TaskID: "b", Value: []byte{}}))
	want("a", "1")
	want("b", "")
	e.commit(keyed(2, store.KeyedWrite{TaskID: "a", Value: []byte("2")}, store.KeyedWrite{TaskID: "none"}))
	want("a", "2")
	e.fenced("a misfit after it", keyed(1, store.KeyedWrite{TaskID: "a", Value: []byte("3")}, store.KeyedWrite{TaskID: "b"}),
		updateTask(1, 99, 1, 0, api.Failed))
	want("a", "2")
	want("b", "")
	e.commit(keyed(1, store.KeyedWrite{TaskID: "a"}, store.KeyedWrite{TaskID: "b", Value: []byte("4")}, store.KeyedWrite{TaskID: "b"}))
	want("a", "nil")
	want("b", "nil")
	e.commit(keyed(1, store.KeyedWrite{TaskID: "a"}, store.KeyedWrite{TaskID: "a", Value: []byte("5")}))
	want("a", "5")
}

func reserveKeys(e env) {
	next := int64(1)
	for _, n := range []int64{1, 1, 16, 1_000_000, 1, 1 << 33} {
		first, err := e.s.ReserveKeys(e.t.Context(), n)
		e.ok("ReserveKeys", err)
		if first < next {
			e.t.Fatalf("ReserveKeys(%d) gave %d, but all below %d are given out", n, first, next)
		}
		next = first + n
	}
	for _, n := range []int64{0, -1, math.MaxInt64} {
		if first, err := e.s.ReserveKeys(e.t.Context(), n); err == nil {
			e.t.Errorf("ReserveKeys(%d) gave %d and no error", n, first)
		}
	}
}

// full is a transition that writes everything there is to write.
func full(run, id int64) *store.Transition {
	t := group(run, id, 2)
	t.SetRun = &store.RunSet{State: api.Running, Epoch: 1, Cell: []byte(strconv.FormatInt(id, 10))}
	*t.AddTask() = insertTask(run, id, api.Running).Tasks[0]
	t.AddJoin(store.Join{Frame: id, Ended: 1})
	t.Blocks = []store.Block{{Run: run, First: id, Count: 16, Seq: id}}
	t.Keyed = []store.KeyedWrite{{TaskID: "k", Value: []byte(strconv.FormatInt(id, 10))}}
	t.Logs = logs(run, strconv.FormatInt(id, 10)).Logs
	return t
}

func allOrNothing(e env) {
	e.commit(newRun(1), full(1, 10))
	for what, misfit := range map[string]*store.Transition{
		"run":   newRun(1),
		"epoch": setRun(1, 5, store.RunSet{State: api.Failed}),
		"task":  insertTask(1, 10, api.Running),
		"frame": group(1, 10, 1),
		"join":  join(1, 10, 5, 0, 0),
		"block": blocks(1, store.Block{Run: 1, First: 10}),
	} {
		e.fenced(what+" last", newRun(2), full(2, 21), full(1, 20), misfit)
		e.fenced(what+" first", misfit, newRun(2), full(2, 21), full(1, 20))
		v, err := e.s.Keyed(e.t.Context(), "k")
		e.ok("Keyed", err)
		e.equal("keyed state", string(v), "10")
	}
	e.equal("closed", len(e.commit(newRun(2), full(2, 21), full(1, 20), join(2, 21, 1, 0, 0))), 1)
	e.equal("task", e.task(20).State, api.Running)
}

func emptyBatch(e env) {
	before := e.content()
	e.equal("closed", len(e.commit()), 0)
	e.commit(newRun(1))
	e.commit(at(1))
	e.fenced("an empty transition is held to the epoch too", &store.Transition{Run: 1, Epoch: 2})
	e.equal("content", len(e.content().Runs), len(before.Runs)+1)
}

func location(e env) {
	if e.s.Location() == "" {
		e.t.Error("Location is empty")
	}
}
