package web_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// fillLimits gives a site limits of each kind, and who holds and waits.
func (s *site) fillLimits(t *testing.T) {
	t.Helper()
	must(t, s.eng.Limits().Create(t.Context(), "math", 10))
	must(t, s.eng.Limits().Create(t.Context(), "db/eu west", 3))
	must(t, s.eng.Limits().Create(t.Context(), "shut", 0))
	must(t, s.eng.GlobalLimits().Create(t.Context(), api.GlobalLimit{Name: "licence", Limit: 2}))
	must(t, s.eng.GlobalLimits().Create(t.Context(), api.GlobalLimit{Name: "mails", Limit: 10, Decay: 0.5}))
	must(t, s.eng.GlobalLimits().Create(t.Context(), api.GlobalLimit{Name: "unused", Limit: 1, Inactive: true}))
	must(t, s.eng.RateLimit(t.Context(), "mails", runnel.Occupy(3)))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says reports what a page does not say.
func (r *reply) says(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.text, text) {
			t.Errorf("%s (%d) does not say %q:\n%s", r.url, r.status, text, mainOf(r.text))
		}
	}
}

func mainOf(page string) string {
	_, rest, _ := strings.Cut(page, "<main")
	rest, _, _ = strings.Cut(rest, "</main>")
	return rest
}

func (s *site) limit(t *testing.T, tag string) api.Limit {
	t.Helper()
	l, err := s.eng.Limits().Read(t.Context(), tag)
	must(t, err)
	return l
}

func TestLimitIsMadeChangedAndDeleted(t *testing.T) {
	s := serve(t, "/x")
	s.get(t, "/new/limit?tag=math").says(t, `list="confirm-tag-list"`, `<option value="math">`, `value="math"`)
	if to := s.post(t, "/new/limit", "tag", "db/eu west", "limit", "3", "reason", "it is slow").to(t); to.Path != "/x/limits" {
		t.Errorf("a new limit leads to %s", to)
	}
	if l := s.limit(t, "db/eu west"); l.Limit != 3 {
		t.Errorf("the limit is %d", l.Limit)
	}
	if audit := s.get(t, "/api/v1/audit").text; !strings.Contains(audit, "it is slow") {
		t.Errorf("the audit has no reason: %s", audit)
	}
	if to := s.post(t, "/limits/db%2Feu%20west/set", "limit", "5", "was", "3", "back", "limits/db%2Feu%20west").to(t); to.EscapedPath() != "/x/limits/db%2Feu%20west" {
		t.Errorf("setting it leads to %s", to.EscapedPath())
	}
	r := s.post(t, "/limits/db%2Feu%20west/set", "limit", "7", "was", "3")
	r.says(t, "somebody has set it to 5 meanwhile", `value="7"`, `aria-invalid="true"`)
	if l := s.limit(t, "db/eu west"); l.Limit != 5 || r.status != http.StatusUnprocessableEntity {
		t.Errorf("a change of what it was before answers %d, the limit is %d", r.status, l.Limit)
	}
	s.get(t, "/limits/db%2Feu%20west/delete").says(t, "0 slots in use, 0 task runs waiting")
	s.post(t, "/limits/db%2Feu%20west/delete").to(t)
	if r := s.get(t, "/limits/db%2Feu%20west"); r.status != http.StatusNotFound {
		t.Errorf("a limit that was deleted answers %d", r.status)
	}
}

func TestLimitFormKeepsWhatWasTyped(t *testing.T) {
	s := serve(t, "")
	s.fillLimits(t)
	for _, c := range []struct {
		path   string
		fields []string
		says   []string
	}{
		{"/new/limit", []string{"tag", "slow", "limit", "many"}, []string{`value="slow"`, `value="many"`, "no whole number", "flaw-limit"}},
		{"/new/limit", []string{"tag", "slow", "limit", "-1"}, []string{`value="-1"`, "no whole number"}},
		{"/new/limit", []string{"tag", "", "limit", "4"}, []string{"Type the tag", `value="4"`, "flaw-tag"}},
		{"/new/limit", []string{"tag", "math", "limit", "4"}, []string{"There is a limit on this tag already"}},
		{"/new/limit", []string{"tag", strings.Repeat("x", 300), "limit", "4"}, []string{"flaw-tag"}},
		{"/limits/math/set", []string{"limit", ""}, []string{"Type a whole number"}},
		{"/new/global-limit", []string{"name", "licence", "limit", "4"}, []string{"flaw-name", `value="4"`}},
		{"/new/global-limit", []string{"name", "other", "limit", "4", "slot_decay_per_second", "quick"}, []string{"flaw-slot_decay_per_second", `value="quick"`}},
		{"/global-limits/licence/set", []string{"limit", "4", "was", "before"}, []string{"Somebody has changed it", `value="4"`}},
	} {
		r := s.post(t, c.path, c.fields...)
		if r.status != http.StatusUnprocessableEntity {
			t.Errorf("POST %s %v answers %d", c.path, c.fields, r.status)
		}
		r.says(t, c.says...)
	}
}

// TestTagsAreSuggestedForALimit with how many tasks and task runs carry each, also those
// that only a run was given.
func TestTagsAreSuggestedForALimit(t *testing.T) {
	s := serve(t, "")
	h, err := s.eng.Submit(t.Context(), double.Send(1).Set(runnel.Tags("math", "of one run")))
	must(t, err)
	s.get(t, "/api/v1/runs/"+h.ID()+"/result?wait_ms=60000")
	s.run(t, "second", call("double", "2"))
	s.get(t, "/new/limit").says(t, `<option value="math">2 tasks, 2 task runs</option>`, `<option value="db">1 task, 0 task runs</option>`,
		`<option value="of one run">0 tasks, 1 task run</option>`)
}

// TestLimitOfZeroIsAskedFor twice, since it does not do what people expect.
func TestLimitOfZeroIsAskedFor(t *testing.T) {
	s := serve(t, "")
	s.fillLimits(t)
	s.post(t, "/limits/math/set", "limit", "0").says(t, "is aborted, not delayed", `name="zero"`, "Abort them")
	if l := s.limit(t, "math"); l.Limit != 10 {
		t.Errorf("the limit is %d before anybody was sure", l.Limit)
	}
	s.post(t, "/limits/math/set", "limit", "0", "zero", "1").to(t)
	if l := s.limit(t, "math"); l.Limit != 0 {
		t.Errorf("the limit is %d", l.Limit)
	}
}

func TestLimitShowsWhoHoldsAndWaits(t *testing.T) {
	s := serve(t, "")
	must(t, s.eng.Limits().Create(t.Context(), "slow", 1))
	s.submit(t, "first", call("tagged"))
	s.begun(t)
	s.submit(t, "second", call("tagged"))
	s.until(t, "/api/v1/runs/"+s.runs["second"]+"/tasks/0/why", `"slots"`)
	s.get(t, "/limits/slow").says(t, "runs/"+s.runs["first"]+"/tasks/0", "runs/"+s.runs["second"]+"/tasks/0", "1 <small>of 1", "Who waits, in order")
	s.get(t, "/limits").says(t, "1 of 1")
	s.get(t, "/limits/slow/delete").says(t, "1 slot in use, 1 task run waiting", "let 1 begin")
	s.get(t, "/limits/slow/reset").says(t, s.runs["first"], "Reset, 1 slot")
	s.post(t, "/limits/slow/reset").to(t)
	s.begun(t)
}

func TestSlotIsReleased(t *testing.T) {
	s := serve(t, "/x")
	must(t, s.eng.Limits().Create(t.Context(), "slow", 1))
	s.submit(t, "first", call("tagged"))
	s.begun(t)
	s.submit(t, "second", call("tagged"))
	s.until(t, "/api/v1/runs/"+s.runs["second"]+"/tasks/0/why", `"slots"`)
	first := s.runs["first"] + "/0"
	s.get(t, "/limits/slow").says(t, "limits/slow/release?slot="+s.runs["first"]+"%2F0", "not known yet")
	s.get(t, "/limits/slow/release?slot="+first).says(t, "Release a slot", first, "1 task run waiting", `name="reason"`)
	for _, gone := range []string{"", s.runs["second"] + "/0"} {
		if r := s.get(t, "/limits/slow/release?slot="+gone); r.status != http.StatusConflict {
			t.Errorf("asking to release %q answers %d", gone, r.status)
		}
		if r := s.post(t, "/limits/slow/release", "slot", gone); r.status != http.StatusConflict {
			t.Errorf("releasing %q answers %d", gone, r.status)
		}
	}
	if to := s.post(t, "/limits/slow/release", "slot", first, "reason", "its machine is gone").to(t); to.Path != "/x/limits/slow" {
		t.Errorf("releasing leads to %s", to)
	}
	s.begun(t)
	if l := s.limit(t, "slow"); len(l.ActiveSlots) != 1 || l.ActiveSlots[0] != s.runs["second"]+"/0" {
		t.Errorf("held by %v", l.ActiveSlots)
	}
	if audit := s.get(t, "/api/v1/audit").text; !strings.Contains(audit, "its machine is gone") {
		t.Errorf("the audit has no reason: %s", audit)
	}
	// Once a slot was given back, it is told how long it may take.
	must(t, s.eng.Cancel(t.Context(), s.runs["second"]))
	s.until(t, "/limits/slow", "<small>median</small>")
}

func TestGlobalLimitIsMadeChangedAndDeleted(t *testing.T) {
	s := serve(t, "")
	s.post(t, "/new/global-limit", "name", "licence", "limit", "3", "slot_decay_per_second", "0.5", "active", "1").to(t)
	s.get(t, "/global-limits/licence").says(t, "30 a minute", "of 3")
	s.post(t, "/global-limits/licence/set", "limit", "4").to(t)
	s.get(t, "/limits").says(t, "0 of 4", "not in force")
	s.post(t, "/global-limits/licence/reset").to(t)
	s.post(t, "/global-limits/licence/delete").to(t)
	if r := s.get(t, "/global-limits/licence"); r.status != http.StatusNotFound {
		t.Errorf("a global limit that was deleted answers %d", r.status)
	}
}

// fill gives a site what the pages beside runs and tasks show.
func (s *site) fill(t *testing.T) {
	t.Helper()
	s.fillLimits(t)
	s.fillSchedules(t)
}

// fillMany gives it so much that lists have several pages.
func (s *site) fillMany(t *testing.T) {
	t.Helper()
	for i := range 230 {
		must(t, s.eng.Limits().Create(t.Context(), "tag-"+strconv.Itoa(i), i+1))
	}
	must(t, s.eng.Limits().Create(t.Context(), "slow", 1))
	for i := range 60 {
		must(t, s.eng.Schedules().Create(t.Context(), "plan-"+strconv.Itoa(i), runnel.Cron("0 0 1 1 *"), double.Send(i)))
	}
	for i := range 60 {
		s.run(t, "kept", call("kept", strconv.Itoa(i)))
	}
	for range 40 {
		s.submit(t, "one", call("tagged"))
	}
	s.begun(t)
}
