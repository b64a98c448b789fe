package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// pages reads a list in pages and puts them together; between is called after each.
func pages(t *testing.T, size int, page func(last string) []string, between func()) (all []string) {
	t.Helper()
	for last := ""; ; {
		ids := page(last)
		all = append(all, ids...)
		if len(ids) < size {
			return all
		}
		last = ids[len(ids)-1]
		between()
	}
}

// Of pages of any size the whole list is made, though runs are added meanwhile.
func TestPagesMakeTheList(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		r.works()
		var last *engine.Handle
		for i := range 12 {
			last = r.submit([]string{wide, `[{"task":"add","args":[1,2]},{"task":"dbl"}]`, `[{"value":1}]`}[i%3])
			r.completes(last)
		}
		r.rests()
		r.submit(wide) // goes on without anybody: what it has is in memory
		more := func() { r.submit(`[{"task":"dbl","args":[1]}]`) }
		within := func(all, got []string) []string { // those that were added come first
			return slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(all, id) })
		}
		one := r.tasks(api.TaskRunFilter{Run: r.runs(api.RunFilter{})[3]})
		if len(one) != 22 {
			t.Fatalf("the wide run has %d task runs", len(one))
		}
		for _, size := range []int{1, 3, 21, 22, 23, 100} {
			runs, tasks := r.runs(api.RunFilter{}), r.tasks(api.TaskRunFilter{})
			got := pages(t, size, func(last string) []string { return r.runs(api.RunFilter{Before: last, Limit: size}) }, more)
			if !slices.Equal(got, runs) {
				t.Errorf("pages of %d runs:\n%s\nwant\n%s", size, got, runs)
			}
			got = pages(t, size, func(last string) []string { return r.tasks(api.TaskRunFilter{After: last, Limit: size}) }, more)
			if got = within(tasks, got); !slices.Equal(got, tasks) {
				t.Errorf("pages of %d task runs:\n%s\nwant\n%s", size, got, tasks)
			}
			run, _, _ := strings.Cut(one[0], "/")
			got = pages(t, size, func(last string) []string { return r.tasks(api.TaskRunFilter{Run: run, After: last, Limit: size}) }, more)
			if !slices.Equal(got, one) {
				t.Errorf("pages of %d task runs of one run:\n%s\nwant\n%s", size, got, one)
			}
			done := api.RunFilter{States: []api.State{api.Completed}}
			runs = r.runs(done)
			got = pages(t, size, func(last string) []string {
				return r.runs(api.RunFilter{States: done.States, Before: last, Limit: size})
			}, more)
			if !slices.Equal(got, runs) {
				t.Errorf("pages of %d runs that have ended:\n%s\nwant\n%s", size, got, runs)
			}
		}
	})
}

// A page names what a list names of each: its place in its group too.
func TestPagesShowTheSame(t *testing.T) {
	r := start(t, memory.Open())
	r.works()
	child := `{"steps":[{"children":[{"steps":[{"task":"dbl","args":[1]}]},{"steps":[{"task":"dbl","args":[2]}]}]},{"task":"sum"}]}`
	h := r.submit(`[{"children":[` + strings.Join(slices.Repeat([]string{child}, 40), ",") + `]},{"task":"sum"}]`)
	r.completes(h)
	var all []api.TaskRun
	for run, err := range r.TaskRuns(t.Context(), api.TaskRunFilter{Run: h.ID()}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, run)
	}
	groups := 0
	for i := range all {
		if all[i].Index >= 0 {
			groups++
		}
		if i == 0 {
			continue
		}
		for run, err := range r.TaskRuns(t.Context(), api.TaskRunFilter{Run: h.ID(), After: all[i-1].ID, Limit: 1}) {
			if err != nil || asJSON(t, run) != asJSON(t, all[i]) {
				t.Errorf("alone %s (%v)\nin the list %s", asJSON(t, run), err, asJSON(t, all[i]))
			}
		}
	}
	if groups < 40 {
		t.Errorf("%d of %d stand in a group", groups, len(all))
	}
}

func TestBadCursors(t *testing.T) {
	r := start(t, memory.Open())
	run := r.submit(`[{"task":"dbl","args":[1]}]`).ID()
	for _, f := range []api.RunFilter{{Before: "x"}, {Before: run + "/0"}} {
		for _, err := range r.Runs(t.Context(), f) {
			like(t, fmt.Sprint(f), err, api.ErrInvalid)
		}
	}
	other := r.submit(`[{"task":"dbl","args":[1]}]`).ID()
	for _, f := range []api.TaskRunFilter{{After: "x"}, {After: run}, {After: run + "/x"}, {After: "x/1"}, {Run: other, After: run + "/1"}} {
		for _, err := range r.TaskRuns(t.Context(), f) {
			like(t, fmt.Sprint(f), err, api.ErrInvalid)
		}
	}
	if ids := r.runs(api.RunFilter{Before: "00000000-0000-7000-8000-000000000000"}); len(ids) != 0 {
		t.Errorf("before a run with number 0: %s", ids)
	}
}

// counted counts how often runs are read.
type counted struct {
	store.Store
	reads, rows int
}

func (c *counted) Runs(ctx context.Context, f api.RunFilter, below int64, limit int) ([]store.RunRow, error) {
	rows, err := c.Store.Runs(ctx, f, below, limit)
	c.reads++
	c.rows += len(rows)
	return rows, err
}

func TestLookup(t *testing.T) {
	db := &counted{Store: memory.Open()}
	now := time.Unix(1_700_000_000, 0)
	e, err := engine.New(t.Context(), engine.Config{Store: db, Registry: signature, Manual: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string // newest first
	for i := range 5000 {
		id, err := e.Enqueue(t.Context(), spec(t, `[{"value":1}]`), "")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		if now = now.Add(time.Duration(rand.Int64N(int64(time.Minute)))); i%100 == 0 {
			now = now.Add(5 * 24 * time.Hour) // some digits are nobody's
		}
		for e.CommitStep() || e.AdvanceStep() {
		}
	}
	slices.Reverse(ids)
	digits := make([]string, len(ids))
	for i, id := range ids {
		digits[i] = strings.ReplaceAll(id, "-", "")
	}
	find := func(prefix string) (want []string) {
		prefix = strings.ToLower(strings.ReplaceAll(prefix, "-", ""))
		for i, id := range ids {
			if strings.HasPrefix(digits[i], prefix) && len(want) < 10 {
				want = append(want, id)
			}
		}
		return want
	}
	for range 2000 {
		id := ids[rand.IntN(len(ids))]
		prefix := id[:4+rand.IntN(len(id)-3)]
		switch rand.IntN(4) {
		case 0:
			prefix = strings.ToUpper(prefix)
		case 1:
			if bare := strings.ReplaceAll(prefix, "-", ""); len(bare) >= 4 {
				prefix = bare
			}
		case 2:
			digits := []byte(prefix)
			digits[rand.IntN(len(digits))] = "0123456789abcdef"[rand.IntN(16)]
			prefix = string(digits)
		}
		if len(strings.ReplaceAll(prefix, "-", "")) > 32 {
			continue
		}
		db.reads, db.rows = 0, 0
		got, err := e.Lookup(t.Context(), prefix)
		if want := find(prefix); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%s: %s (%v), want %s", prefix, got, err, want)
		}
		if db.reads > 30 || db.rows > 1000 {
			t.Errorf("%s: %d reads of %d runs", prefix, db.reads, db.rows)
		}
	}
	for _, prefix := range []string{"", "abc", "a-b-c", "018bcg", "018b*", ids[0] + "0"} {
		_, err := e.Lookup(t.Context(), prefix)
		like(t, prefix, err, api.ErrInvalid)
	}
	if got, err := e.Lookup(t.Context(), "0000-"); err != nil || got != nil {
		t.Errorf("nobody's digits: %s, %v", got, err)
	}
}

func TestLookupOnStores(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		first := r.submit(`[{"value":1}]`)
		for range 30 {
			r.submit(`[{"value":1}]`)
		}
		got, err := r.Lookup(t.Context(), first.ID()[:4])
		if err != nil || !slices.Equal(got, r.runs(api.RunFilter{Limit: 10})) {
			t.Errorf("the first digits: %s, %v", got, err)
		}
		for _, prefix := range []string{first.ID(), first.ID()[:30], first.ID()[:len(first.ID())-1]} {
			if got, err := r.Lookup(t.Context(), prefix); err != nil || !slices.Contains(got, first.ID()) {
				t.Errorf("%s: %s, %v", prefix, got, err)
			}
		}
	})
}
