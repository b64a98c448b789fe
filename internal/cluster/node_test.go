package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

const lease = 10 * time.Second

// deaf is a session whose bell never rings.
type deaf struct{ store.Shared }

func (deaf) Bell() <-chan struct{} { return nil }

// process is a node under test, and what it was told.
type process struct {
	*cluster.Node

	changes []cluster.Change
	stopped atomic.Bool // its lease is not renewed
}

// stopping is a session whose process stands still when told to.
type stopping struct {
	store.Shared
	p *process
}

func (s stopping) Beat(ctx context.Context, offer []byte) ([]store.Member, int, error) {
	if s.p.stopped.Load() {
		return nil, 0, store.ErrRetry
	}
	return s.Shared.Beat(ctx, offer)
}

// begin makes processes on one store. Each answers "double", "fail" and "hang".
func begin(t *testing.T, n int, wrap func(store.Shared) store.Shared) []*process {
	t.Helper()
	s := memory.Open()
	var list []*process
	for i := range n {
		list = append(list, enter(t, s, i, wrap))
	}
	for _, p := range list {
		p.Hurry()
	}
	synctest.Wait()
	return list
}

// enter makes one more process. It answers "ask back" with what the asking one says to
// "double" of 21.
func enter(t *testing.T, s *memory.Store, i int, wrap func(store.Shared) store.Shared) *process {
	t.Helper()
	session := s.Join("process "+strconv.Itoa(i), lease, time.Now)
	p := new(process)
	p.Node = cluster.New(cluster.Config{
		Store: wrap(stopping{session, p}), Every: lease / 4, Logger: slog.New(slog.DiscardHandler),
		Changed: func(c cluster.Change) { p.changes = append(p.changes, c) },
	})
	p.Handle("double", func(r *cluster.Request) {
		var n int
		err := r.Decode(&n)
		r.Reply(2*n, err)
	})
	p.Handle("fail", func(r *cluster.Request) { r.Reply(nil, api.Errorf(api.ErrConflict, "here", "not now")) })
	p.Handle("hang", p.Blocking(func(ctx context.Context, _ *cluster.Request) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	p.Handle("ask back", p.Blocking(func(ctx context.Context, r *cluster.Request) (n any, err error) {
		err = p.Call(ctx, r.From, "double", 21, &n)
		return n, err
	}))
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		_ = session.Close()
	})
	return p
}

func plain(s store.Shared) store.Shared { return s }

func TestCall(t *testing.T) {
	for _, c := range []struct {
		name string
		wrap func(store.Shared) store.Shared
	}{
		{"with a bell", plain},
		{"without a bell", func(s store.Shared) store.Shared { return deaf{s} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				list := begin(t, 3, c.wrap)
				for i, from := range list {
					for j, to := range list {
						var got int
						err := from.Call(t.Context(), to.Self(), "double", 10*i+j, &got)
						if err != nil || got != 2*(10*i+j) {
							t.Errorf("%d asks %d: %d, %v", i, j, got, err)
						}
					}
				}
				err := list[0].Call(t.Context(), list[1].Self(), "fail", nil, nil)
				var known *api.Error
				if !errors.Is(err, api.ErrConflict) || !errors.As(err, &known) || known.Where != "here" || known.Msg != "not now" {
					t.Errorf("a refusal comes as %v", err)
				}
				err = list[0].Call(t.Context(), list[1].Self(), "what", nil, nil)
				if !errors.Is(err, api.ErrInvalid) {
					t.Errorf("an unknown method: %v", err)
				}
				if err := list[0].Call(t.Context(), 99, "double", 1, nil); !errors.Is(err, cluster.ErrGone) {
					t.Errorf("nobody is asked: %v", err)
				}
			})
		})
	}
}

// Who has just joined can be asked by those that it asks, though their last beat did
// not show it. One that has ended meanwhile is gone by the next.
func TestWhoJustJoinedIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		old := enter(t, s, 0, plain)
		joined := enter(t, s, 1, plain)
		var got int
		if err := joined.Call(t.Context(), old.Self(), "ask back", nil, &got); err != nil || got != 42 {
			t.Errorf("asked back: %d, %v; want 42", got, err)
		}
		<-time.After(lease)
		joined.stopped.Store(true)
		<-time.After(2 * lease)
		if err := old.Call(t.Context(), joined.Self(), "double", 1, nil); !errors.Is(err, cluster.ErrGone) {
			t.Errorf("who has gone is asked: %v, want ErrGone", err)
		}
	})
}

func TestCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := begin(t, 2, plain)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := list[0].Call(ctx, list[1].Self(), "hang", nil, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Call: %v", err)
		}
		list[1].Close() // waits for the handler, which ends with the caller's interest
	})
}

func TestTellInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		var got []int
		var nodes []*cluster.Node
		for range 2 {
			session := s.Join("p", lease, time.Now)
			n := cluster.New(cluster.Config{Store: session, Every: lease / 4, Logger: slog.New(slog.DiscardHandler)})
			n.Handle("note", func(r *cluster.Request) {
				var x int
				if err := r.Decode(&x); err != nil {
					t.Error(err)
				}
				got = append(got, x)
			})
			if err := n.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(n.Close)
			nodes = append(nodes, n)
		}
		want := make([]int, 1000)
		for i := range want {
			want[i] = i
			if err := nodes[0].Tell(nodes[1].Self(), "note", i); err != nil {
				t.Fatal(err)
			}
			if i%100 == 50 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		if !slices.Equal(got, want) {
			t.Errorf("%d messages came, or in another order", len(got))
		}
	})
}

// A process that stands still for longer than its lease is given up: who asked it
// learns that, its duty goes to another, and when it wakes it learns it too.
func TestStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := begin(t, 3, plain)
		a, b := list[0], list[1]
		was := a.Self()
		if _, self := a.KeeperSession(); !self {
			t.Fatal("the first is not the keeper")
		}
		hung := make(chan error, 1)
		go func() { hung <- b.Call(t.Context(), was, "hang", nil, nil) }()
		synctest.Wait()
		a.stopped.Store(true)
		<-time.After(2 * lease)
		if err := <-hung; !errors.Is(err, cluster.ErrGone) {
			t.Errorf("who asked gets %v, want ErrGone", err)
		}
		gone, given := 0, 0
		for _, p := range list[1:] {
			for _, c := range p.changes {
				given += c.Given
				if slices.Contains(c.Gone, was) {
					gone++
				}
			}
		}
		if gone != 2 || given != 1 {
			t.Errorf("%d of 2 saw it go, and it was given up %d times", gone, given)
		}
		keeper, _ := b.KeeperSession()
		if other, _ := list[2].KeeperSession(); keeper != other || keeper == was {
			t.Errorf("the keepers are %d and %d, it was %d", keeper, other, was)
		}
		<-a.Lost()
		if err := a.Call(t.Context(), b.Self(), "double", 4, nil); !errors.Is(err, api.ErrClosed) && !errors.Is(err, cluster.ErrGone) {
			t.Errorf("a request of who was given up: %v", err)
		}
	})
}

// A process that is about to end lets another be the keeper, and is it not again, be
// it that there is no other.
func TestKeeperLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := begin(t, 2, plain)
		keeper := func() (numbers [2]int64) {
			for i, p := range list {
				numbers[i], _ = p.KeeperSession()
			}
			return numbers
		}
		a, b := list[0].Self(), list[1].Self()
		if got := keeper(); got != [2]int64{a, a} {
			t.Fatalf("the keepers are %v, want %d", got, a)
		}
		list[0].LetGo()
		synctest.Wait()
		if got := keeper(); got[0] != 0 {
			t.Errorf("who let go takes %d for the keeper, want nobody", got[0])
		}
		<-time.After(lease/2 + time.Millisecond)
		if got := keeper(); got != [2]int64{b, b} {
			t.Errorf("the keepers are %v, want %d", got, b)
		}
		list[1].LetGo()
		<-time.After(lease)
		if got := keeper(); got != [2]int64{} {
			t.Errorf("the keepers are %v, want none", got)
		}
	})
}

// What a session offers is told anew when it changes: that of one which has just
// joined comes after it.
func TestOffersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		offers := []*atomic.Value{new(atomic.Value), new(atomic.Value)}
		var told []string
		for i := range 2 {
			offers[i].Store("")
			session := s.Join("p", lease, time.Now)
			n := cluster.New(cluster.Config{
				Store: session, Every: lease / 4, Logger: slog.New(slog.DiscardHandler),
				Offer: func() []byte { return []byte(offers[i].Load().(string)) },
				Changed: func(c cluster.Change) {
					if i == 1 {
						told = append(told, string(c.Live[0].Offer))
					}
				},
			})
			if err := n.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(n.Close)
		}
		for _, offer := range []string{"a", "a", "b"} {
			offers[0].Store(offer)
			<-time.After(lease)
		}
		if want := []string{"", "a", "b"}; !slices.Equal(told, want) {
			t.Errorf("told of %q, want %q", told, want)
		}
	})
}

// What is said right before the end is sent.
func TestLastWords(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			list := begin(t, 2, plain)
			heard := 0
			list[1].Handle("last", func(*cluster.Request) { heard++ })
			if err := list[0].Tell(list[1].Self(), "last", nil); err != nil {
				t.Fatal(err)
			}
			list[0].Close()
			synctest.Wait()
			if heard != 1 {
				t.Errorf("heard %d times", heard)
			}
		})
	}
}
