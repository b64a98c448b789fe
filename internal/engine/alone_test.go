package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

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
		if err := errors.Join(limit("one"), acquire(a, "one")); err != nil {
			t.Fatal(err)
		}

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
		b.stop()
		<-time.After(3 * time.Second)
		if err := errors.Join(limit("two"), acquire(a, "one")); err != nil {
			t.Error(err)
		}
	})
}
