package web_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestStartForm(t *testing.T) {
	s := serve(t, "/x")
	s.get(t, "/flows/takes/start").says(t, "Argument 1, integer", "Argument 2, string", "Argument 3, object", "runnel run start takes ARG ARG ARG")
	r := s.post(t, "/flows/takes/start", "arg1", "-4", "arg2", "it's 5", "arg3", `{"n": 1}`, "name", "by hand", "tags", "b, a,b", "delay", "1h", "key", "k1", "reason", "a try")
	to := r.to(t)
	if !strings.HasPrefix(to.Path, "/x/runs/") {
		t.Fatalf("starting leads to %s", to)
	}
	path := strings.TrimPrefix(to.Path, "/x")
	s.get(t, path).says(t, "by hand")
	given := s.get(t, "/api/v1"+path+"/pipeline").text
	for _, want := range []string{`"args":[-4,"it's 5",{"n":1}]`, `"add_tags":["a","b"]`, `"start_at"`} {
		if !strings.Contains(strings.ReplaceAll(given, `\u0027`, "'"), want) {
			t.Errorf("submitted was %s, want %s", given, want)
		}
	}
	again := s.post(t, "/flows/takes/start", "arg1", "5", "arg2", "", "arg3", "{}", "key", "k1")
	if again.status != http.StatusConflict {
		t.Errorf("another run with the same key answers %d", again.status)
	}
	again.says(t, `value="k1"`, `role="alert"`)
}

func TestStartFormKeepsWhatWasTyped(t *testing.T) {
	s := serve(t, "")
	right := []string{"arg1", "1", "arg2", "two", "arg3", "{}"}
	for _, c := range []struct {
		name, value, says string
	}{
		{"arg1", "one", "This is no JSON"},
		{"arg1", "1.5", "This is no integer"},
		{"arg1", "", "Type a value: integer"},
		{"arg3", "[1]", "This is no object"},
		{"arg3", "{<", "This is no JSON"},
		{"delay", "soon", "no time span"},
		{"name", strings.Repeat("n", 300), "length"},
	} {
		r := s.post(t, "/flows/takes/start", append([]string{c.name, c.value}, right...)...)
		if r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s=%s answers %d", c.name, c.value, r.status)
		}
		r.says(t, `id="flaw-`+c.name+`"`, c.says, html.EscapeString(c.value))
	}
	s.get(t, "/flows/flips/start").says(t, "<option>true</option>")
	s.post(t, "/flows/flips/start", "arg1", "3").says(t, "This is no boolean")
	r := s.post(t, "/flows/takes/start", "json", "1", "args", "[1, 2")
	r.says(t, `id="flaw-args"`, "[1, 2", "This is no JSON array")
	s.post(t, "/flows/takes/start", "json", "1", "args", `[1, "two", {}]`).to(t)
}

// TestStartFormShowsTheCommand that does the same.
func TestStartFormShowsTheCommand(t *testing.T) {
	s := serve(t, "")
	for query, want := range map[string]string{
		"arg1=1&arg2=two&arg3={}":                    `runnel run start takes 1 two '{}'`,
		"arg1=1&arg2=it's&arg3={}&name=x+y&tags=b,a": `runnel run start takes 1 'it'\''s' '{}' --name 'x y' --tag a --tag b`,
		"arg1=-1&arg2=&arg3={}&delay=5m&key=k":       `runnel run start --at 5m --key k -- takes -1 '' '{}'`,
		"json=1&args=[1,%22two%22,{}]":               `runnel run start takes 1 two '{}'`,
		"shown=1&arg1=one":                           `This is no JSON`,
	} {
		s.get(t, "/flows/takes/start?"+query).says(t, html.EscapeString(want))
	}
}

func TestFlowPageSaysWhatIsKnown(t *testing.T) {
	s := serve(t, "").typical(t)
	s.get(t, "/flows").says(t, "Doubles so many numbers.", "(integer) → integer", "flows/report/start", "1 of 1")
	s.get(t, "/flows/fails").says(t, "Last runs", s.runs["failed"][:13], "no luck")
	if r := s.get(t, "/flows/nothing"); r.status != http.StatusNotFound {
		t.Errorf("a flow that there is not answers %d", r.status)
	}
}

// TestHowLongFlowsTook: the list and the page of one tell it, of runs that have ended.
func TestHowLongFlowsTook(t *testing.T) {
	s := serve(t, "")
	s.get(t, "/flows/double").says(t, "No run has called it yet")
	s.run(t, "done", call("double", "1"))
	s.submit(t, "live", call("held"))
	s.get(t, "/flows/double").says(t, "Median", "p95", "<b>1</b>")
	if r := s.get(t, "/flows/held"); strings.Contains(r.text, "Median") {
		t.Errorf("a flow whose run goes on has a median: %s", r.text)
	}
	s.get(t, "/flows").says(t, "Median", "p95")
}

// TestOverviewTellsTimes: how long task runs of each name took, and the newest error of
// a run that goes on.
func TestOverviewTellsTimes(t *testing.T) {
	s := serve(t, "")
	s.run(t, "many", each(40, "odd"))
	s.get(t, "/runs/"+s.runs["many"]).says(t, "Median", "p95", "Cached")
	both := each(4, "odd")
	both.Steps[0].Group.Children = append(both.Steps[0].Group.Children, *call("held"))
	s.submit(t, "goes on", both)
	s.until(t, "/runs/"+s.runs["goes on"], "is a multiple of three")
	s.run(t, "kept", call("kept", "7"))
	s.run(t, "again", call("kept", "7"))
	s.get(t, "/runs/"+s.runs["again"]).says(t, "task%3Akept+cached:yes")
}
