package worker_test

import (
	"slices"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

func TestAcquire(t *testing.T) {
	closed := api.Errorf(api.ErrClosed, "", "engine is closed")
	for _, tt := range []*struct {
		name        string
		source      source
		released    []string
		interrupted bool
	}{
		{name: "given back once", source: source{grant: 7}, released: []string{"release 7", "answer"}},
		{name: "nothing to give back", released: []string{"answer"}},
		{name: "refused", source: source{grant: 7, refused: api.ErrConflict}, released: []string{"answer"}},
		{name: "refused since the engine is closed", source: source{refused: closed}, released: []string{"answer"}, interrupted: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := &tt.source
			registry(t, &worker.Task{Name: "t", Run: func(b *worker.Body) (worker.Result, error) {
				release, err := b.Acquire(b, api.SlotRequest{Names: []string{"db"}, Slots: 1})
				release()
				release()
				return worker.Result{}, err
			}}).Execute(src, job())
			if a := src.one(t); !slices.Equal(src.events, tt.released) || a.Interrupted != tt.interrupted || (a.Failure != nil) != (tt.source.refused != nil) {
				t.Errorf("events %v and answer %+v", src.events, a)
			}
		})
	}
}
