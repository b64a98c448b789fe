package sim_test

import (
	"context"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/internal/sim"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
	"github.com/runnel-dev/runnel/internal/store/postgres"
)

// unhurried lets calls that have no time to wait have what is a round trip away here.
type unhurried struct{ store.Store }

func (u unhurried) ReserveKeys(ctx context.Context, n int64) (int64, error) {
	return u.Store.ReserveKeys(context.WithoutCancel(ctx), n)
}

// TestPostgresSeeds does on a server what TestSeeds does in memory. There are few seeds, since the store is
// looked at after each step, and what could differ between stores is what storetest is for.
func TestPostgresSeeds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		s, err := postgres.Open(context.WithoutCancel(t.Context()), pgtest.With(pgtest.DSN(t), "lease", "1h"), postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		log, _, err := sim.Simulate(t.Context(), sim.Options{Seed: seed, Store: unhurried{s}})
		if err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, strings.Join(log, "\n"))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
