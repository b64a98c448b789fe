package storetest

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Sharing is an empty store that several processes have open.
type Sharing struct {
	// Join begins a session. The suite closes it.
	Join func(t *testing.T, name string) store.Shared
	// Age makes a session's lease run out.
	Age func(t *testing.T, s store.Shared)
	// Deaf says that no bell rings there.
	Deaf bool
}

// RunShared runs what is about several processes.
func RunShared(t *testing.T, open func(t *testing.T) Sharing) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, a, b env, age func(env))
	}{
		{"sessions see each other", sessionsSeen},
		{"a session that is given up changes nothing", givenUp},
		{"giving up waits for what is being committed", givenUpWhole},
		{"a run belongs to a session", runsBelong},
		{"a run is handed over", runHandedOver},
		{"orphans are adopted once", orphansOnce},
		{"a session that begins again has no runs", rejoined},
		{"a duty is one session's", duties},
		{"a record is changed by one session", func(t *testing.T, a, b env, _ func(env)) { checkedTogether(t, a, b) }},
		{"old runs go once, or are live again", expiryOfOthers},
		{"runs are removed once, or are live again", removalOfOthers},
		{"run numbers of several sessions", runNumbers},
		{"letters", letters},
		{"the bell", bellRings},
		{"letters of many", lettersTogether},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := open(t)
			if x.Deaf && c.name == "the bell" {
				return
			}
			a, b := x.Join(t, "a"), x.Join(t, "b")
			c.run(t, env{t: t, s: a}, env{t: t, s: b}, func(e env) { x.Age(t, e.shared()) })
			for _, s := range []store.Shared{a, b} {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		})
	}
}

func (e env) shared() store.Shared { return e.s.(store.Shared) }

// beat beats and gives the sessions that live.
func (e env) beat() (sessions []int64, lost int) {
	e.t.Helper()
	live, lost, err := e.shared().Beat(e.t.Context(), nil)
	e.ok("Beat", err)
	for _, m := range live {
		sessions = append(sessions, m.Session)
	}
	return sessions, lost
}

func (e env) lost(what string, err error) {
	e.t.Helper()
	if !errors.Is(err, store.ErrLost) {
		e.t.Errorf("%s of a session that was given up: %v, want ErrLost", what, err)
	}
}

func sessionsSeen(t *testing.T, a, b env, _ func(env)) {
	from := time.Now().Add(-time.Minute).UnixMicro()
	offer := []byte(`{"idle":3}`)
	_, _, err := b.shared().Beat(t.Context(), offer)
	b.ok("Beat", err)
	live, lost, err := a.shared().Beat(t.Context(), nil)
	a.ok("Beat", err)
	a.equal("lost", lost, 0)
	if len(live) != 2 || live[0].Session != a.shared().Session() || live[1].Session != b.shared().Session() {
		t.Fatalf("a sees %+v, want sessions %d and %d", live, a.shared().Session(), b.shared().Session())
	}
	if m := live[1]; m.Name != "b" || !bytes.Equal(m.Offer, offer) || m.Started < from {
		t.Errorf("a sees %+v of b, want its name, its offer %s and when it began", m, offer)
	}
	b.ok("Close", b.s.Close())
	sessions, lost := a.beat()
	a.equal("sessions after b was closed", sessions, []int64{a.shared().Session()})
	a.equal("lost after b was closed", lost, 0)
}

func givenUp(t *testing.T, a, b env, age func(env)) {
	a.commit(newRun(1))
	age(a)
	sessions, lost := b.beat()
	b.equal("sessions", sessions, []int64{b.shared().Session()})
	b.equal("lost", lost, 1)
	before, ctx, s := b.content(), t.Context(), a.shared()
	_, err := s.Commit(ctx, []*store.Transition{insertTask(1, 10, api.Running)})
	a.lost("Commit", err)
	_, err = s.Commit(ctx, []*store.Transition{newRun(2)})
	a.lost("Commit of a new run", err)
	a.lost("PutRecords", s.PutRecords(ctx, store.RecordWrite{Kind: "k", Key: "k", Value: []byte("v")}))
	_, err = s.PutBlob(ctx, 1, bytes.NewReader([]byte("blob")))
	a.lost("PutBlob", err)
	_, _, err = s.Beat(ctx, nil)
	a.lost("Beat", err)
	_, err = s.Adopt(ctx, []int64{1})
	a.lost("Adopt", err)
	_, err = s.Hold(ctx, "duty", true)
	a.lost("Hold", err)
	b.equal("content", b.content(), before)
	b.ok("Records", s.Records(ctx, "k", "", func(key string, _ []byte) error {
		t.Errorf("record %q was written", key)
		return nil
	}))
}

// givenUpWhole has one session commit as fast as it can while another gives it
// up: from then on nothing may be added.
func givenUpWhole(t *testing.T, a, b env, age func(env)) {
	a.commit(newRun(1))
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for key := int64(10); ; key++ {
			if key == 20 {
				close(begun)
			}
			if _, err := a.s.Commit(t.Context(), []*store.Transition{insertTask(1, key, api.Running)}); err != nil {
				ended <- err
				return
			}
		}
	}()
	<-begun
	age(a)
	_, lost := b.beat()
	b.equal("lost", lost, 1)
	then := b.content()
	a.lost("Commit", <-ended)
	b.equal("content", b.content(), then)
}

func runsBelong(t *testing.T, a, b env, _ func(env)) {
	a.commit(newRun(1))
	owner := func(e env, run int64) int64 {
		t.Helper()
		id, err := e.shared().Owner(t.Context(), run)
		e.ok("Owner", err)
		return id
	}
	a.equal("owner", owner(a, 1), a.shared().Session())
	a.equal("owner, asked by another", owner(b, 1), a.shared().Session())
	b.fenced("another's run", insertTask(1, 10, api.Running))
	b.fenced("another's run beside an own one", newRun(2), setRun(1, 1, store.RunSet{State: api.Failed, Epoch: 1}))
	a.commit(insertTask(1, 10, api.Running), setRun(1, 1, store.RunSet{State: api.Failed, Epoch: 1, Finished: 5}))
	a.equal("owner of what has ended", owner(b, 1), int64(0))
	b.fenced("nothing but a retry makes it live", insertTask(1, 11, api.Running))
	b.commit(setRun(1, 1, store.RunSet{State: api.Running, Gen: 1, Epoch: 2}))
	a.equal("owner after another's retry", owner(a, 1), b.shared().Session())
	late := insertTask(1, 12, api.Running)
	late.Epoch = 2
	a.fenced("retried by another", late)
	b.commit(late)
	_, err := a.shared().Owner(t.Context(), 7)
	if !errors.Is(err, api.ErrNotFound) {
		t.Errorf("Owner of no run: %v, want ErrNotFound", err)
	}
}

func orphansOnce(t *testing.T, a, b env, age func(env)) {
	a.commit(newRun(1), newRun(2), newRun(3), newRun(4))
	a.commit(setRun(2, 1, store.RunSet{State: api.Completed, Epoch: 1, Finished: 5}))
	b.commit(newRun(5))
	orphans := func(after int64, limit int) (numbers []int64) {
		t.Helper()
		rows, err := b.shared().Orphans(t.Context(), after, limit)
		b.ok("Orphans", err)
		for _, r := range rows {
			numbers = append(numbers, r.ID)
		}
		return numbers
	}
	b.equal("orphans while a lives", len(orphans(0, 10)), 0)
	adopted, err := b.shared().Adopt(t.Context(), []int64{1})
	b.ok("Adopt", err)
	b.equal("adopted while a lives", len(adopted), 0)
	age(a)
	b.beat()
	b.equal("orphans", orphans(0, 10), []int64{1, 3, 4})
	b.equal("orphans after 1, one at most", orphans(1, 1), []int64{3})
	a.ok("Rejoin", a.shared().Rejoin(t.Context()))
	got := make([][]int64, 8)
	together(8, func(i int64) {
		s := []env{a, b}[i%2].shared()
		adopted, err := s.Adopt(t.Context(), []int64{1, 2, 3, 5, 9})
		if err != nil {
			t.Errorf("Adopt: %v", err)
		}
		got[i] = adopted
	})
	all := slices.Concat(got...)
	slices.Sort(all)
	b.equal("adopted by all", all, []int64{1, 3})
	b.equal("orphans that are left", orphans(0, 10), []int64{4})
	for i, list := range got {
		for _, run := range list {
			[]env{a, b}[i%2].commit(insertTask(run, run*10, api.Running))
			[]env{b, a}[i%2].fenced("adopted by another", insertTask(run, run*10+1, api.Running))
		}
	}
}

func rejoined(t *testing.T, a, b env, age func(env)) {
	a.commit(newRun(1))
	was := a.shared().Session()
	age(a)
	b.beat()
	a.ok("Rejoin", a.shared().Rejoin(t.Context()))
	if now := a.shared().Session(); now == was || now == b.shared().Session() {
		t.Errorf("the new session is %d, the old one was %d, another %d", now, was, b.shared().Session())
	}
	a.fenced("a run of the session before", insertTask(1, 10, api.Running))
	a.commit(newRun(2), insertTask(2, 20, api.Running))
	adopted, err := a.shared().Adopt(t.Context(), []int64{1})
	a.ok("Adopt", err)
	a.equal("adopted", adopted, []int64{1})
	a.commit(insertTask(1, 10, api.Running))
	sessions, _ := b.beat()
	b.equal("sessions", sessions, []int64{b.shared().Session(), a.shared().Session()})
}

func duties(t *testing.T, a, b env, age func(env)) {
	hold := func(e env, duty string) int64 {
		t.Helper()
		holder, err := e.shared().Hold(t.Context(), duty, true)
		e.ok("Hold", err)
		return holder
	}
	let := func(e env, duty string) int64 {
		t.Helper()
		holder, err := e.shared().Hold(t.Context(), duty, false)
		e.ok("Hold", err)
		return holder
	}
	one, two := a.shared().Session(), b.shared().Session()
	a.equal("holder", hold(a, "x"), one)
	b.equal("holder, asked by another", hold(b, "x"), one)
	b.equal("holder of another duty", hold(b, "y"), two)
	a.equal("holder, asked again", hold(a, "x"), one)
	a.equal("holder of what nobody wanted yet", let(a, "z"), int64(0))
	b.equal("holder, asked by who does not want it", let(b, "x"), one)
	a.equal("holder after it was let go", let(a, "x"), int64(0))
	a.equal("holder after it was let go, asked again", let(a, "x"), int64(0))
	b.equal("holder, who took it then", hold(b, "x"), two)
	a.equal("holder of what another has", let(a, "x"), two)
	b.equal("holder of what b let go", let(b, "x"), int64(0))
	a.equal("holder, who took it back", hold(a, "x"), one)
	age(a)
	b.beat()
	b.equal("holder after the first was given up", hold(b, "x"), two)
	a.ok("Rejoin", a.shared().Rejoin(t.Context()))
	a.equal("holder, asked by who was given up", hold(a, "x"), two)
	b.ok("Close", b.s.Close())
	a.equal("holder after the second was closed", hold(a, "y"), a.shared().Session())
}

func runNumbers(t *testing.T, a, b env, _ func(env)) {
	var mu sync.Mutex
	seen := make(map[int64]bool)
	together(8, func(i int64) {
		for range 10 {
			first, err := []env{a, b}[i%2].shared().ReserveRuns(t.Context(), 3)
			if err != nil || first < 1 {
				t.Errorf("ReserveRuns: %d, %v", first, err)
			}
			mu.Lock()
			for n := first; n < first+3*store.Lanes; n += store.Lanes {
				if seen[n] {
					t.Errorf("%d was given out twice", n)
				}
				seen[n] = true
			}
			mu.Unlock()
		}
	})
}

// receive takes letters out of the box and gives the texts of the others.
func (e env) receive(done []int64, limit int) (texts string, ids []int64) {
	e.t.Helper()
	list, err := e.shared().Receive(e.t.Context(), done, limit)
	e.ok("Receive", err)
	for _, l := range list {
		texts, ids = texts+string(l.Body), append(ids, l.ID)
		if l.To != e.shared().Session() {
			e.t.Errorf("letter %d is for session %d", l.ID, l.To)
		}
	}
	return texts, ids
}

func letters(t *testing.T, a, b env, age func(env)) {
	to := func(e env, body string) store.Letter {
		return store.Letter{To: e.shared().Session(), Body: []byte(body)}
	}
	send := func(letters ...store.Letter) {
		t.Helper()
		a.ok("Send", a.shared().Send(t.Context(), letters))
	}
	send(to(b, "1"), to(a, "x"), to(b, "2"))
	send(to(b, "3"))
	texts, ids := b.receive(nil, 2)
	b.equal("the first two letters", texts, "12")
	texts, _ = b.receive(nil, 10)
	b.equal("letters that were not taken", texts, "123")
	texts, ids = b.receive(ids, 10)
	b.equal("letters after two were taken", texts, "3")
	texts, _ = b.receive(ids, 10)
	b.equal("letters after all were taken", texts, "")
	list, err := a.shared().Receive(t.Context(), nil, 10)
	a.ok("Receive", err)
	if len(list) != 1 || list[0].From != a.shared().Session() || string(list[0].Body) != "x" {
		t.Errorf("a letter to oneself: %+v", list)
	}
	send(to(b, "4"))
	old := to(b, "5")
	age(b)
	a.beat()
	_, err = b.shared().Receive(t.Context(), nil, 10)
	b.lost("Receive", err)
	a.lost("Send", b.shared().Send(t.Context(), []store.Letter{to(a, "late")}))
	b.ok("Rejoin", b.shared().Rejoin(t.Context()))
	send(old, to(b, "6"))
	texts, _ = b.receive(nil, 10)
	b.equal("letters of the new session", texts, "6")
}

func bellRings(t *testing.T, a, b env, _ func(env)) {
	for range 3 {
		a.ok("Send", a.shared().Send(t.Context(), []store.Letter{{To: b.shared().Session(), Body: []byte("x")}}))
		select {
		case <-b.shared().Bell():
		case <-time.After(10 * time.Second):
			t.Fatal("no bell")
		}
	}
}

func lettersTogether(t *testing.T, a, b env, _ func(env)) {
	const senders, each = 6, 20
	var sent sync.WaitGroup
	for range senders {
		sent.Go(func() {
			for range each {
				if err := a.shared().Send(t.Context(), []store.Letter{{To: b.shared().Session(), Body: []byte("x")}}); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	var over atomic.Bool
	var waiting sync.WaitGroup
	waiting.Go(func() { sent.Wait(); over.Store(true) })
	defer waiting.Wait()
	seen := make(map[int64]bool)
	var done []int64
	for {
		last := over.Load() // before it is looked: then nothing comes after that
		list, err := b.shared().Receive(t.Context(), done, 7)
		b.ok("Receive", err)
		done = done[:0]
		for _, l := range list {
			if seen[l.ID] {
				t.Fatalf("letter %d came twice", l.ID)
			}
			seen[l.ID] = true
			done = append(done, l.ID)
		}
		if last && len(list) == 0 {
			break
		}
	}
	b.equal("letters", len(seen), senders*each)
}
