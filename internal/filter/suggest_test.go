package filter_test

import (
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/internal/filter"
)

func TestLastOf(t *testing.T) {
	for text, want := range map[string]filter.Last{
		"":                        {},
		"sta":                     {0, "", "sta"},
		"state:fa":                {6, "state", "fa"},
		"name:x -State:":          {14, "state", ""},
		"state:failed,ru":         {13, "state", "ru"},
		"state:failed ":           {13, "", ""},
		`name:"a b, c" tag:d`:     {18, "tag", "d"},
		`name:"report, we`:        {5, "name", "report, we"},
		`task:a,"b \" c,d`:        {7, "task", `b " c,d`},
		"report, we":              {8, "", "we"},
		"nonsense:x state:happy,": {23, "state", ""},
		"häh:x":                   {0, "", "häh:x"},
	} {
		if got := filter.LastOf(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

// TestValues: whatever is suggested can be read.
func TestValues(t *testing.T) {
	for _, target := range []filter.Target{filter.Runs, filter.TaskRuns} {
		n := 0
		for _, name := range filter.Fields(target) {
			if filter.Doc(name, target) == "" {
				t.Errorf("%s is not explained", name)
			}
			for _, v := range filter.Values(name, target) {
				n++
				if _, err := filter.Parse(name+":"+v, target); err != nil {
					t.Error(err)
				}
			}
		}
		if n < 20 {
			t.Errorf("%d values", n)
		}
	}
}

// FuzzLastOf: what is found is the end of the text, and what stands in its place is read
// as a value.
func FuzzLastOf(f *testing.F) {
	for _, seed := range []string{"state:fa", `-name:"a b`, "x, y", `a:b:"c",d`, `\`, `"\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := filter.LastOf(text)
		if l.Begin < 0 || l.Begin > len(text) {
			t.Fatalf("%q begins at %d", text, l.Begin)
		}
		if l.Field != "" && !strings.HasSuffix(strings.ToLower(text[:l.Begin]), l.Field+":") && !strings.Contains(text[:l.Begin], ",") {
			t.Errorf("%q: no %q before %d", text, l.Field, l.Begin)
		}
		if _, err := filter.Parse("name:"+filter.Quote(l.Value), filter.Runs); err != nil {
			t.Errorf("%q is quoted as %s: %v", l.Value, filter.Quote(l.Value), err)
		}
	})
}
