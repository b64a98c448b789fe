package storetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var recordChecks = []check{
	{"records are kept, replaced and removed", recordsKept},
	{"records come by key, of one kind", recordsByKey},
	{"records end early, with the error given", recordsEndEarly},
	{"records and runs do not touch each other", recordsBesideRuns},
}

// record is one as read.
type record struct {
	Key   string
	Value []byte
}

func (e env) putRecord(kind, key string, value []byte) {
	e.t.Helper()
	e.ok("PutRecord", e.s.PutRecord(e.t.Context(), kind, key, value))
}

func (e env) records(kind string) (list []record) {
	e.t.Helper()
	err := e.s.Records(e.t.Context(), kind, func(key string, value []byte) error {
		list = append(list, record{key, value})
		return nil
	})
	e.ok("Records", err)
	return list
}

func recordsKept(e env) {
	e.equal("records of a fresh store", e.records("limit"), []record(nil))
	value := []byte("1")
	e.putRecord("limit", "a", value)
	value[0] = 'X' // what was kept is the store's own
	e.putRecord("limit", "b", []byte{})
	e.equal("records", e.records("limit"), []record{{"a", []byte("1")}, {"b", []byte{}}})
	e.putRecord("limit", "a", []byte("22"))
	e.putRecord("limit", "none", nil)
	e.equal("one replaced", e.records("limit"), []record{{"a", []byte("22")}, {"b", []byte{}}})
	e.putRecord("limit", "b", nil)
	e.putRecord("limit", "b", nil)
	e.records("limit")[0].Value[0] = 'X' // what was read is the reader's own
	e.equal("one removed", e.records("limit"), []record{{"a", []byte("22")}})
}

func recordsByKey(e env) {
	keys := []string{"b", "\xff", "a b", "", "Z", "a", "aa", "\x00"}
	for _, key := range keys {
		e.putRecord("limit", key, []byte(key))
		e.putRecord("schedule", key, []byte("other"))
	}
	slices.Sort(keys)
	var got []string
	for _, r := range e.records("limit") {
		got = append(got, r.Key)
		e.equal("value under "+r.Key, string(r.Value), r.Key)
	}
	e.equal("keys", got, keys)
	for i := range 3000 {
		e.putRecord("many", fmt.Sprintf("%04d", i), []byte{1})
	}
	e.equal("number of records", len(e.records("many")), 3000)
	e.equal("number of another kind", len(e.records("schedule")), len(keys))
}

func recordsEndEarly(e env) {
	e.putRecord("limit", "a", []byte("1"))
	e.putRecord("limit", "b", []byte("2"))
	stop := errors.New("enough")
	n := 0
	err := e.s.Records(e.t.Context(), "limit", func(string, []byte) error {
		n++
		return stop
	})
	if n != 1 || !errors.Is(err, stop) {
		e.t.Errorf("Records called %d times and gave %v, want 1 and the error", n, err)
	}
}

func recordsBesideRuns(e env) {
	e.putRecord("limit", "a", []byte("1"))
	e.commit(newRun(1), insertTask(1, 10, api.Running))
	before := e.content()
	e.putRecord("limit", "a", nil)
	e.putRecord("limit", "b", []byte("2"))
	e.equal("content", e.content(), before)
	e.fenced("a misfit", at(1), &store.Transition{Run: 2})
	e.equal("records", e.records("limit"), []record{{"b", []byte("2")}})
}

func recordsThere(e env, reopen func() env) {
	e.putRecord("limit", "a", []byte("1"))
	e.putRecord("limit", "b", []byte("2"))
	e.putRecord("limit", "a", nil)
	for range 2 {
		e = reopen()
		e.equal("records", e.records("limit"), []record{{"b", []byte("2")}})
	}
	e.putRecord("limit", "c", []byte("3"))
	e = reopen()
	e.equal("records", e.records("limit"), []record{{"b", []byte("2")}, {"c", []byte("3")}})
}
