package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var recordChecks = []check{
	{"records are kept, replaced and removed", recordsKept},
	{"records come by key, of one kind", recordsByKey},
	{"records end early, with the error given", recordsEndEarly},
	{"records begin where they are asked to", recordsFrom},
	{"records and runs do not touch each other", recordsBesideRuns},
	{"records are part of a commit", recordsCommitted},
	{"records own blobs", recordsOwnBlobs},
	{"records are changed by who knows what they were", recordsChecked},
	{"one of several changes a record", recordsCheckedTogether},
}

// record is one as read.
type record struct {
	Key   string
	Value []byte
}

func (e env) putRecord(kind, key string, value []byte) {
	e.t.Helper()
	e.ok("PutRecords", e.s.PutRecords(e.t.Context(), store.RecordWrite{Kind: kind, Key: key, Value: value}))
}

func (e env) records(kind string) (list []record) {
	e.t.Helper()
	err := e.s.Records(e.t.Context(), kind, "", func(key string, value []byte) error {
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
	err := e.s.Records(e.t.Context(), "limit", "", func(string, []byte) error {
		n++
		return stop
	})
	if n != 1 || !errors.Is(err, stop) {
		e.t.Errorf("Records called %d times and gave %v, want 1 and the error", n, err)
	}
}

func recordsFrom(e env) {
	for _, key := range []string{"a", "ab", "b", "c"} {
		e.putRecord("limit", key, []byte(key))
	}
	for from, want := range map[string]string{"": "a ab b c ", "a": "a ab b c ", "aa": "ab b c ", "b\x00": "c ", "d": ""} {
		got := ""
		err := e.s.Records(e.t.Context(), "limit", from, func(key string, _ []byte) error {
			got += key + " "
			return nil
		})
		e.ok("Records", err)
		e.equal("keys from "+from, got, want)
	}
}

func recordsOf(run int64, writes ...store.RecordWrite) *store.Transition {
	t := at(run)
	t.Records = writes
	return t
}

func recordsCommitted(e env) {
	put := func(key, value string) store.RecordWrite {
		return store.RecordWrite{Kind: "cache", Key: key, Value: []byte(value)}
	}
	e.putRecord("cache", "a", []byte("0"))
	e.commit(newRun(1), recordsOf(1, put("a", "1"), put("b", "1")), recordsOf(1, put("b", "2"), store.RecordWrite{Kind: "cache", Key: "none"}))
	want := []record{{"a", []byte("1")}, {"b", []byte("2")}}
	e.equal("records", e.records("cache"), want)
	e.fenced("a misfit after them", recordsOf(1, put("a", "3"), put("c", "3"), store.RecordWrite{Kind: "cache", Key: "b"}), newRun(1))
	e.equal("records of a refused batch", e.records("cache"), want)
	e.commit(recordsOf(1, store.RecordWrite{Kind: "cache", Key: "a"}, put("b", "4")))
	e.equal("one removed", e.records("cache"), []record{{"b", []byte("4")}})
	several := []store.RecordWrite{put("b", "5"), put("a", "5"), {Kind: "limit", Key: "x", Value: []byte("6")}}
	e.ok("PutRecords", e.s.PutRecords(e.t.Context(), several...))
	e.equal("put together", e.records("cache"), []record{{"a", []byte("5")}, {"b", []byte("5")}})
	e.equal("put together", e.records("limit"), []record{{"x", []byte("6")}})
}

// was makes a write to one record that expects what is kept there.
func was(was, value []byte) store.RecordWrite {
	return store.RecordWrite{Kind: "schedule", Key: "a", Value: value, Check: true, Was: was}
}

func recordsChecked(e env) {
	one, two, empty := []byte("1"), []byte("2"), []byte{}
	e.commit(newRun(1))
	refused := func(why string, w store.RecordWrite) {
		e.t.Helper()
		before := e.records("schedule")
		other := store.RecordWrite{Kind: "limit", Key: "x", Value: one}
		e.fenced(why, recordsOf(1, other, w))
		if err := e.s.PutRecords(e.t.Context(), other, w); !errors.Is(err, store.ErrFenced) {
			e.t.Errorf("%s: PutRecords gave %v, want ErrFenced", why, err)
		}
		e.equal(why+": records", e.records("schedule"), before)
		e.equal(why+": what was beside it", e.records("limit"), []record(nil))
	}
	refused("nothing is there, to change", was(one, two))
	refused("nothing is there, to delete", was(one, nil))
	refused("nothing is there, not even an empty value", was(empty, two))
	e.commit(recordsOf(1, was(nil, nil)), recordsOf(1, was(nil, one)))
	refused("it exists", was(nil, two))
	refused("it exists, and is to be none", was(nil, nil))
	refused("another value, to change", was(two, one))
	refused("another value, to delete", was(two, nil))
	refused("not the empty value", was(empty, one))
	e.commit(newRun(2), recordsOf(1, was(one, empty)))
	refused("empty is not none", was(nil, one))
	e.ok("PutRecords", e.s.PutRecords(e.t.Context(), was(empty, two)))
	e.equal("changed", e.records("schedule"), []record{{"a", two}})

	// Several of one batch see each other.
	plain := was(nil, one)
	plain.Check = false
	e.commit(recordsOf(1, was(two, one)), recordsOf(2, was(one, two)), recordsOf(1, plain), recordsOf(2, was(one, nil), was(nil, two)))
	e.equal("changed in a row", e.records("schedule"), []record{{"a", two}})
	e.fenced("the second of two", recordsOf(1, was(two, one)), recordsOf(2, was(two, empty)))
	e.fenced("after a plain one", recordsOf(1, plain), recordsOf(2, was(two, empty)))
	e.fenced("a new run, whose record was changed", recordsOf(1, plain), &store.Transition{
		Run: 3, NewRun: newRun(3).NewRun, Records: []store.RecordWrite{was(two, empty)},
	})
	e.commit(recordsOf(1, was(two, nil)))
	e.equal("deleted", e.records("schedule"), []record(nil))

	// What it owned goes when it is changed, and only then.
	first, second := e.ownBlob(70_000), e.ownBlob(70_000)
	own := was(nil, one)
	own.Blob = first.ID
	e.commit(recordsOf(1, own))
	refused("another value", was(two, two))
	e.blobIs(first, 70_000)
	own = was(one, two)
	own.Blob = second.ID
	e.commit(recordsOf(1, own))
	e.noBlob("changed", first)
	e.commit(recordsOf(1, was(two, nil)))
	e.noBlob("deleted", second)
}

func recordsCheckedTogether(e env) { checkedTogether(e.t, e) }

// checkedTogether has many change what they read, over one session or several:
// each change counts once.
func checkedTogether(t *testing.T, sessions ...env) {
	t.Helper()
	const workers, rounds = 6, 15
	for i, e := range sessions {
		e.commit(newRun(int64(i + 1)))
	}
	counter := func(e env) (value []byte) {
		list := e.records("schedule")
		if len(list) == 1 {
			value = list[0].Value
		}
		return value
	}
	together(workers, func(i int64) {
		n := i % int64(len(sessions))
		e := sessions[n]
		for done := 0; done < rounds; {
			old := counter(e)
			count, _ := strconv.Atoi(string(old)) // 0 for none
			w := was(old, []byte(strconv.Itoa(count+1)))
			var err error
			if done%2 == 0 {
				err = e.s.PutRecords(e.t.Context(), w)
			} else {
				_, err = e.s.Commit(e.t.Context(), []*store.Transition{recordsOf(n+1, w)})
			}
			switch {
			case err == nil:
				done++
			case !errors.Is(err, store.ErrFenced):
				t.Errorf("a change of a record: %v, want ErrFenced or nothing", err)
				return
			}
		}
	})
	sessions[0].equal("changes", string(counter(sessions[0])), strconv.Itoa(workers*rounds))
}

// ownBlob puts a blob that is to be a record's.
func (e env) ownBlob(n int) store.Blob {
	e.t.Helper()
	b, err := e.s.PutBlob(e.t.Context(), 0, pattern(n))
	e.ok("PutBlob", err)
	return b
}

func (e env) noBlob(what string, b store.Blob) {
	e.t.Helper()
	if _, err := e.s.OpenBlob(e.t.Context(), b); !errors.Is(err, api.ErrNotFound) {
		for range 100 { // its room is freed bit by bit
			_, more, err := e.s.Expire(e.t.Context(), 0, 1000)
			e.ok("Expire", err)
			if !more {
				break
			}
		}
		_, err = e.s.OpenBlob(e.t.Context(), b)
		if !errors.Is(err, api.ErrNotFound) {
			e.t.Errorf("%s: OpenBlob gave %v, want ErrNotFound", what, err)
		}
	}
}

func recordsOwnBlobs(e env) {
	e.commit(newRun(1))
	first, second, third := e.ownBlob(300_000), e.ownBlob(70_000), e.ownBlob(10)
	own := func(key string, b store.Blob) store.RecordWrite {
		return store.RecordWrite{Kind: "cache", Key: key, Value: []byte("v"), Blob: b.ID}
	}
	e.commit(recordsOf(1, own("a", first)))
	e.fenced("a misfit after it", recordsOf(1, own("a", second)), newRun(1))
	e.blobIs(first, 300_000)
	e.commit(recordsOf(1, own("a", second), own("b", third)))
	e.noBlob("replaced", first)
	e.blobIs(second, 70_000)
	e.putRecord("cache", "a", nil)
	e.noBlob("deleted", second)
	e.blobIs(third, 10)
	e.putRecord("cache", "b", []byte("without"))
	e.noBlob("replaced by none", third)
	fourth := e.put(100)
	e.blobIs(fourth, 100) // a run's is not touched
}

// blobsOwned: what a record owns is there again, what it has no more is not.
func blobsOwned(e env, reopen func() env) {
	kept, dropped := e.ownBlob(300_000), e.ownBlob(300_000)
	own := store.RecordWrite{Kind: "cache", Key: "a", Value: []byte("v"), Blob: dropped.ID}
	e.ok("PutRecords", e.s.PutRecords(e.t.Context(), own))
	own.Blob = kept.ID
	e.ok("PutRecords", e.s.PutRecords(e.t.Context(), own))
	e = reopen()
	e.blobIs(kept, 300_000)
	e.noBlob("replaced", dropped)
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
