package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestLimitCharts: there are charts once something was measured.
func TestLimitCharts(t *testing.T) {
	said, asked := "", ""
	v := &view{r: httptest.NewRequest(http.MethodGet, "/limits/db%2Feu", nil), site: &site{api: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = io.WriteString(w, said)
	})}}
	said = `{"items":[{"name":"in use","times":[],"values":[]},{"name":"waiting","times":[],"values":[]},{"name":"limit","times":[],"values":[]}]}`
	if all, err := limitCharts(v, "db/eu"); len(all) != 0 || err != nil {
		t.Errorf("of nothing there is %+v, %v", all, err)
	}
	said = `{"items":[{"name":"in use","times":[0,10000],"values":[1,2]},{"name":"waiting","times":[0,10000],"values":[null,31]},{"name":"limit","times":[0,10000],"values":[3,3]}]}`
	all, err := limitCharts(v, "db/eu")
	if err != nil || len(all) != 2 {
		t.Fatalf("charts %+v, %v", all, err)
	}
	if asked != "/api/v1/metrics/limits?tag=db%2Feu" {
		t.Errorf("asked for %s", asked)
	}
	for i, want := range []struct {
		top   string
		lines []string
	}{{"5", []string{"in use 2", "limit 3"}}, {"50", []string{"waiting 31"}}} {
		c := all[i]
		if c.Top != want.top || len(c.Rows) != 2 || len(c.Lines) != len(want.lines) {
			t.Errorf("%s goes up to %s, has %d rows and %d lines, want %+v", c.Name, c.Top, len(c.Rows), len(c.Lines), want)
			continue
		}
		for j, l := range c.Lines {
			if l.Name+" "+l.Last != want.lines[j] || l.Path == "" {
				t.Errorf("line %+v, want %s", l, want.lines[j])
			}
		}
	}
}
