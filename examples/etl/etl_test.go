package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestETL(t *testing.T) {
	var out strings.Builder
	s := settings{dir: t.TempDir(), files: 16, rows: 20_000, seed: 7}
	if err := start(t.Context(), s, &out); err != nil {
		t.Fatal(err)
	}
	// 16 files extracted and loaded, 500 look-ups, the table, and the flow; two
	// files are read twice. The second time all but the loads is there.
	want := regexp.MustCompile(`^wrote 20000 rows in 16 files
20000 rows of 5 regions, as in a plain loop; 534 task runs, 0 from the cache, 2 retries; [\d.]+s
20000 rows of 5 regions, as in a plain loop; 534 task runs, 516 from the cache, 0 retries; [\d.]+s
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("it says\n%s", &out)
	}
	if most := mostReaders.Load(); most > 4 || most < 1 {
		t.Errorf("%d bodies read at a time, want at most 4", most)
	}
}

// A report that is wrong is found.
func TestReportDiffers(t *testing.T) {
	want := report{"north": {1, 100}}
	for _, got := range []report{{}, {"north": {1, 99}}, {"north": {1, 100}, "south": {1, 1}}} {
		if got.differs(want) == "" {
			t.Errorf("%v passes for %v", got, want)
		}
	}
	if diff := want.differs(want); diff != "" {
		t.Error(diff)
	}
}
