package runnel_test

import (
	"context"
	"slices"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func TestSubmitKey(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		p := s.hi.Send("J", "D")
		first, err := s.eng.Submit(t.Context(), p, runnel.SubmitKey("k"))
		do(t, err)
		for range 3 {
			again, err := s.eng.Submit(t.Context(), p, runnel.SubmitKey("k"))
			do(t, err)
			wants(t, "run", again.ID(), first.ID())
			ends(t, "H J D", again)
		}
		text, err := s.eng.Run(t.Context(), p, runnel.SubmitKey("k"))
		do(t, err)
		wants(t, "result", text, "H J D")
		other, err := s.eng.Submit(t.Context(), p, runnel.SubmitKey("other"), runnel.Name("n"))
		do(t, err)
		ends(t, "H J D", other)
		wants(t, "runs", listed(t, s.eng), []string{other.ID(), first.ID()})
		_, err = s.eng.Submit(t.Context(), p, runnel.SubmitKey("other"))
		matches(t, err, runnel.ErrConflict)
		_, err = s.eng.Submit(t.Context(), p, runnel.SubmitKey(""))
		matches(t, err, runnel.ErrInvalid)
	})
}

// A key is for one run that is submitted from outside.
func TestSubmitKeyElsewhere(t *testing.T) {
	call := runnel.NewFlow0("call", func(f runnel.Flow) (int, error) {
		return double.Submit(f, 1, runnel.SubmitKey("k")).Result(f)
	})
	eng, err := runnel.Open(t.Context(), "memory:", seed, runnel.Register(call))
	do(t, err)
	_, err = eng.SubmitAll(t.Context(), slices.Values([]runnel.Runnable[int]{double.Send(1)}), runnel.SubmitKey("k"))
	matches(t, err, runnel.ErrInvalid)
	_, err = eng.Run(t.Context(), call.Send())
	matches(t, err, runnel.ErrInvalid)
	runs := 0
	for range eng.Runs(t.Context(), api.RunFilter{}) {
		runs++
	}
	wants(t, "runs", runs, 1) // the flow's
	do(t, eng.Close(context.WithoutCancel(t.Context())))
}
