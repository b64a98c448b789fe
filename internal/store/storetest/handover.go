package storetest

import (
	"testing"

	"github.com/runnel-dev/runnel/api"
)

func runHandedOver(t *testing.T, a, b env, _ func(env)) {
	loose := newRun(1)
	loose.NewRun.Loose = true
	a.commit(loose, newRun(2))
	id, err := a.shared().Owner(t.Context(), 1)
	a.ok("Owner", err)
	a.equal("owner", id, int64(0))
	a.fenced("nobody's", insertTask(1, 10, api.Running))
	rows, err := b.shared().Orphans(t.Context(), 0, 10)
	b.ok("Orphans", err)
	b.equal("orphans", len(rows), 1)
	want := *loose.NewRun
	want.Loose, want.Alone = false, true
	b.equal("the orphan", rows[0], want)
	adopted, err := b.shared().Adopt(t.Context(), []int64{1, 2})
	b.ok("Adopt", err)
	b.equal("adopted", adopted, []int64{1})
	b.commit(insertTask(1, 10, api.Running))
	a.fenced("another's", insertTask(1, 11, api.Running))
}
