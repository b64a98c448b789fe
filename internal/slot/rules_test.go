package slot_test

import (
	"testing"
	"time"

	"github.com/runnel-dev/runnel/internal/slot"
)

var start = time.Unix(1e9, 0)

// rules is a table to ask at given seconds.
type rules struct {
	*slot.Table
	t *testing.T
}

func newRules(t *testing.T, limits map[string]slot.Def) *rules {
	t.Helper()
	r := &rules{slot.New(), t}
	for name, def := range limits {
		r.Set(name, def, start)
	}
	return r
}

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

func (r *rules) ask(want slot.Verdict, o *slot.Owner, n int, names ...string) *slot.Claim {
	r.t.Helper()
	c := &slot.Claim{Owner: o, Names: names, Slots: n}
	if got, name, _ := r.Ask(c, start); got != want {
		r.t.Errorf("asked for %d of %v and was told %d for %q, want %d", n, names, got, name, want)
	}
	return c
}

// rate asks for slots that come back, and gives when the next one in line has its.
func (r *rules) rate(want slot.Verdict, second float64, n int, name string) []slot.Wake {
	r.t.Helper()
	got, _, change := r.Ask(&slot.Claim{Owner: &slot.Owner{}, Names: []string{name}, Slots: n, Rate: true}, at(second))
	if got != want {
		r.t.Errorf("asked at %gs for %d of %s and was told %d, want %d", second, n, name, got, want)
	}
	return change.Wakes
}

func (r *rules) granted(change slot.Change, want ...*slot.Claim) {
	r.t.Helper()
	if len(change.Granted) != len(want) {
		r.t.Fatalf("%d are granted, want %d", len(change.Granted), len(want))
	}
	for i, c := range change.Granted {
		if c != want[i] {
			r.t.Errorf("granted is %v, want %v", c.Names, want[i].Names)
		}
	}
}

func TestDecay(t *testing.T) {
	t.Run("task-case-165", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 10, Per: 10 * time.Second}})
		r.rate(slot.Granted, 0, 10, "a")
		for _, c := range []struct {
			second float64
			used   int
		}{{0, 10}, {0.5, 10}, {10, 9}, {30.5, 7}, {99.9, 1}, {100, 0}, {1e6, 0}} {
			if got := r.Used("a", at(c.second)); got != c.used {
				t.Errorf("after %gs %d are used, want %d", c.second, got, c.used)
			}
		}
		// A change of the limit does not begin the decay anew.
		r.Set("a", slot.Def{Limit: 20, Per: 10 * time.Second}, at(30.5))
		if got := r.Used("a", at(40.5)); got != 6 {
			t.Errorf("after 40.5s %d are used, want 6", got)
		}
	})
	t.Run("task-case-163", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 10, Per: 10 * time.Second}})
		r.rate(slot.Granted, 0, 10, "a")
		wakes := r.rate(slot.Waits, 0, 1, "a")
		if len(wakes) != 1 || !wakes[0].At.Equal(at(10)) {
			t.Errorf("wakes %v, want one after 10s", wakes)
		}
		for range 10 { // one is told when, the others follow
			if wakes := r.rate(slot.Waits, 0, 1, "a"); len(wakes) != 0 {
				t.Errorf("wakes %v, want none", wakes)
			}
		}
		for i := 1; i <= 11; i++ { // the last one has waited (1 + 10) / 0.1 seconds
			if early := r.Due("a", at(float64(10*i)-0.001)); len(early.Granted) > 0 {
				t.Errorf("granted before %ds", 10*i)
			}
			if change := r.Due("a", at(float64(10*i))); len(change.Granted) != 1 {
				t.Errorf("%d are granted at %ds, want 1", len(change.Granted), 10*i)
			}
		}
	})
	t.Run("another decay keeps what is used", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 10, Per: 10 * time.Second}})
		r.rate(slot.Granted, 0, 10, "a")
		r.Set("a", slot.Def{Limit: 10, Per: time.Second}, at(50))
		if now, later := r.Used("a", at(50)), r.Used("a", at(52)); now != 5 || later != 3 {
			t.Errorf("%d are used, 2s later %d; want 5 and 3", now, later)
		}
	})
	t.Run("held and used up count together", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 4, Per: 10 * time.Second}})
		r.rate(slot.Granted, 0, 2, "a")
		c := r.ask(slot.Granted, &slot.Owner{}, 2, "a")
		if wakes := r.rate(slot.Waits, 0, 1, "a"); len(wakes) != 1 || !wakes[0].At.Equal(at(10)) {
			t.Errorf("wakes %v, want one after 10s", wakes)
		}
		if change := r.Leave(c, at(1)); len(change.Granted) != 1 {
			t.Errorf("%d are granted when slots are given back, want 1", len(change.Granted))
		}
	})
	t.Run("a clock that was set back", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 3, Per: time.Second}})
		r.Restore("a", at(3600), at(0))
		if n := r.Used("a", at(0)); n != 3 {
			t.Errorf("%d are used, want 3", n)
		}
	})
}

func TestNobodyPasses(t *testing.T) {
	one := slot.Def{Limit: 2}
	r := newRules(t, map[string]slot.Def{"a": one, "b": one})
	first := r.ask(slot.Granted, &slot.Owner{}, 1, "a")
	wide := r.ask(slot.Waits, &slot.Owner{}, 2, "a")
	r.ask(slot.Waits, &slot.Owner{}, 1, "a") // though one is free
	both := r.ask(slot.Waits, &slot.Owner{}, 1, "a", "b")
	r.ask(slot.Waits, &slot.Owner{}, 1, "b") // though two are
	r.granted(r.Leave(first, start), wide)
	r.Leave(both, start)
	if c, before := r.Wait(both.Owner); c != nil {
		t.Errorf("who left waits behind %d", before)
	}
}

func TestWait(t *testing.T) {
	r := newRules(t, map[string]slot.Def{"a": {Limit: 1}})
	holder := r.ask(slot.Granted, &slot.Owner{}, 1, "a")
	for i := range 5 {
		want := r.ask(slot.Waits, &slot.Owner{}, 1, "a")
		if got, before := r.Wait(want.Owner); got != want || before != i {
			t.Errorf("waiter %d is told %v behind %d", i, got, before)
		}
	}
	if got, _ := r.Wait(holder.Owner); got != nil {
		t.Error("who holds is told to wait")
	}
}

func TestStuck(t *testing.T) {
	t.Run("behind itself", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 3}})
		o := new(slot.Owner)
		r.ask(slot.Granted, o, 2, "a")
		r.ask(slot.Granted, o, 1, "a")
		r.ask(slot.Stuck, o, 1, "a")
	})
	t.Run("two in a circle", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 1}, "b": {Limit: 1}})
		x, y := new(slot.Owner), new(slot.Owner)
		r.ask(slot.Granted, x, 1, "a")
		onB := r.ask(slot.Granted, y, 1, "b")
		waits := r.ask(slot.Waits, x, 1, "b")
		r.ask(slot.Stuck, y, 1, "a")
		r.granted(r.Leave(onB, start), waits)
	})
	t.Run("a circle that another holder can break is none", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 2}, "b": {Limit: 1}})
		x, y, z := new(slot.Owner), new(slot.Owner), new(slot.Owner)
		r.ask(slot.Granted, x, 1, "a")
		other := r.ask(slot.Granted, z, 1, "a")
		r.ask(slot.Granted, y, 1, "b")
		r.ask(slot.Waits, x, 1, "b")
		waits := r.ask(slot.Waits, y, 1, "a")
		r.granted(r.Leave(other, start), waits)
	})
	t.Run("who holds may pass who waits for it", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 1}, "b": {Limit: 1}})
		x := new(slot.Owner)
		r.ask(slot.Granted, x, 1, "a")
		both := r.ask(slot.Waits, new(slot.Owner), 1, "a", "b")
		r.ask(slot.Granted, x, 1, "b") // behind both, which waits for x
		held, waited, change := r.End(x, start)
		if r.granted(change, both); len(held) != 2 || len(waited) != 0 {
			t.Errorf("held %d and waited for %d, want 2 and 0", len(held), len(waited))
		}
	})
	t.Run("what is used up comes back", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 1, Per: time.Second}, "b": {Limit: 1}})
		r.rate(slot.Granted, 0, 1, "a")
		x := new(slot.Owner)
		r.ask(slot.Granted, x, 1, "b")
		r.ask(slot.Waits, x, 1, "a")
	})
	t.Run("once a limit is lowered", func(t *testing.T) {
		r := newRules(t, map[string]slot.Def{"a": {Limit: 4}})
		x := new(slot.Owner)
		r.ask(slot.Granted, x, 2, "a")
		r.ask(slot.Granted, new(slot.Owner), 1, "a")
		waits := r.ask(slot.Waits, x, 2, "a")
		plain := r.ask(slot.Waits, new(slot.Owner), 1, "a")
		change := r.Set("a", slot.Def{Limit: 3}, start)
		if len(change.Refused) != 1 || change.Refused[0].Claim != waits || change.Refused[0].Verdict != slot.Stuck {
			t.Errorf("refused %v, want who holds 2 of 3 and wants 2 more", change.Refused)
		}
		if got, _ := r.Wait(plain.Owner); got != plain { // others will give back
			t.Error("the other one does not wait any more")
		}
	})
}
