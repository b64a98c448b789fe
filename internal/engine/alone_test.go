package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// kept is signature with a task that is cached, "kept".
func kept(task string) *pipeline.Signature {
	s := signature(task)
	if task == "kept" {
		s.Params, s.Cached = []string{"integer"}, true
	}
	return s
}

// What each process keeps for itself is refused while there are several, and only
// then: global limits, turns under a task id and under a cache key.
func TestWhatIsNotSharedIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", kept)
		limit := func(name string) error {
			return a.Engine().SetGlobalLimit(t.Context(), api.GlobalLimit{Name: name, Limit: 1})
		}
		acquire := func(p *peer, name string) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			grant, err := p.Engine().Acquire(ctx, nil, api.SlotRequest{Names: []string{name}, Slots: 1})
			if err == nil {
				p.Engine().Release(nil, grant)
			}
			return err
		}
		const keyed, cached = `[{"task":"dbl","args":[2],"options":{"task_id":"x"}}]`, `[{"task":"kept","args":[2]}]`
		if err := errors.Join(limit("one"), acquire(a, "one")); err != nil {
			t.Fatal(err)
		}
		a.waits(a.submit(keyed), "4")
		a.waits(a.submit(cached), "4")

		b := join(t, s, "b", kept)
		for what, err := range map[string]error{"limit": limit("two"), "acquire": acquire(b, "one")} {
			if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "2 processes") {
				t.Errorf("%s: %v", what, err)
			}
		}
		<-time.After(3 * time.Second) // by then a knows of b
		if err := acquire(a, "one"); !errors.Is(err, api.ErrConflict) {
			t.Errorf("acquire of the older one: %v", err)
		}
		for what, steps := range map[string]string{"task id": keyed, "cache key": strings.Replace(cached, "2", "3", 1)} {
			for _, p := range []*peer{a, b} {
				out, err := p.Wait(t.Context(), p.submit(steps))
				if err != nil || out.State != api.Failed || !strings.Contains(out.Failure.Message, what) || out.Failure.Code != api.ErrConflict.Code {
					t.Errorf("%s: %s %v %v", what, out.State, out.Failure, err)
				}
			}
		}
		b.waits(b.submit(cached), "4") // what is cached is there for all

		b.stop()
		<-time.After(3 * time.Second)
		if err := errors.Join(limit("two"), acquire(a, "one")); err != nil {
			t.Error(err)
		}
		a.waits(a.submit(keyed), "4")
		a.waits(a.submit(strings.Replace(cached, "2", "3", 1)), "6")
	})
}
