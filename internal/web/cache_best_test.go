package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// TestBestTasks: those that saved most time come first, whatever they keep, and none that
// saved nothing.
func TestBestTasks(t *testing.T) {
	var all []httpapi.CacheTaskStats
	for i, saved := range []int{0, 3, 9, 1, 7, 5, 8} {
		s := httpapi.CacheTaskStats{Task: fmt.Sprintf("t %d", i), CacheCounts: httpapi.CacheCounts{Misses: 3, Saved: api.Duration(time.Duration(saved) * time.Second)}}
		if saved > 0 {
			s.Hits = int64(i)
		}
		all = append(all, s)
	}
	found := best(all)
	if len(found) != bestTasks || all[0].Task != "t 0" {
		t.Fatalf("%+v of %+v", found, all)
	}
	for i, want := range []string{"t 2, 40 % of 5, 9.00 s, cache?task=t+2", "t 6", "t 4", "t 5", "t 1"} {
		f := found[i]
		if got := fmt.Sprintf("%s, %s of %s, %s, %s", f.Task, f.Rate, f.Looks, f.Spent, f.URL); !strings.HasPrefix(got, want) {
			t.Errorf("place %d has %s, want %s", i, got, want)
		}
	}
}
