package runnel_test

import (
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// A standby that follows asynchronously takes the primary's place without the last of
// what the primary had acknowledged. A process that holds that in memory begins anew
// from what there is, by itself: what was forgotten has not happened and is told so, and
// all else goes on, none of it with what is no more.
func TestForgetfulFailover(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	standby := primary.Follower()
	dsn := pgtest.With(primary.DSN(standby), "lease", "3s")
	held, work := newHeld(), newToil(1)
	tasks := runnel.Register(held.task, work.task)
	eng, log := told(t, dsn, tasks)

	ended, err := eng.Submit(t.Context(), work.chain(0, 3))
	do(t, err)
	ends(t, 3, ended)
	kept, err := eng.Submit(t.Context(), held.task.Send("kept"))
	do(t, err)
	wants(t, "body", <-held.begun, "kept")
	half, err := eng.Submit(t.Context(), held.task.Send("half").ContinueWith(held.task).ContinueWith(held.task))
	do(t, err)
	wants(t, "body", <-held.begun, "half")
	standby.Unfollow("SELECT count(*) FROM runnel.run WHERE uid = decode(replace($1, '-', ''), 'hex')", half.ID())

	// What the standby will not have: an end that was shown, steps, and whole runs.
	held.gate <- struct{}{}
	held.gate <- struct{}{}
	steps := map[string]bool{<-held.begun: true}
	if !steps["half done"] {
		t.Errorf("begun: %v, want the second step", steps)
	}
	ends(t, "kept done", kept)
	gone, err := eng.Submit(t.Context(), work.chain(5, 2))
	do(t, err)
	ends(t, 7, gone)
	lost, err := eng.Submit(t.Context(), held.task.Send("lost"))
	do(t, err)
	wants(t, "body", <-held.begun, "lost")
	waits := make(chan error, 1)
	go func() {
		_, err := lost.Wait(t.Context())
		waits <- err
	}()

	primary.Stop()
	standby.Promote()
	log.tells(t, "the database has gone back")
	matches(t, <-waits, runnel.ErrNotFound)
	again := map[string]int{}
	for range 2 {
		again[<-held.begun]++
	}
	wants(t, "bodies that run again", again, map[string]int{"kept": 1, "half": 1})
	fresh, err := eng.Submit(t.Context(), work.chain(10, 3))
	do(t, err)
	close(held.gate)
	ends(t, 13, fresh)
	ends(t, "half done done done", half)
	for _, id := range []string{gone.ID(), lost.ID()} {
		_, err = eng.Attach[int](t.Context(), id)
		matches(t, err, runnel.ErrNotFound)
	}
	same, err := eng.Attach[string](t.Context(), kept.ID())
	do(t, err)
	ends(t, "kept done", same)
	h := turns(t, eng, "back", isBack)
	wants(t, "restarts, processes", []int{h.Restarts, len(h.Processes)}, []int{1, 1})
	wants(t, "runs, and those that completed", []int64{
		standby.Number("SELECT count(*) FROM runnel.run"), standby.Number("SELECT count(*) FROM runnel.run WHERE state = $1", api.Completed),
	}, []int64{4, 4})
	wants(t, "task runs, and their ids", []int64{
		standby.Number("SELECT count(*) FROM runnel.task"), standby.Number("SELECT count(DISTINCT id) FROM runnel.task"),
	}, []int64{10, 10})
}
