package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// fillSchedules gives a site one that has made runs, one that is paused, and one of a
// pipeline.
func (s *site) fillSchedules(t *testing.T) {
	t.Helper()
	must(t, s.eng.Schedules().Create(t.Context(), "nightly", runnel.Cron("30 2 * * *").In("Europe/Berlin"), double.Send(3), runnel.Tags("night")))
	must(t, s.eng.Schedules().Create(t.Context(), "resting", runnel.Cron("0 9 1 * *"), report.Send(1)))
	must(t, s.eng.Schedules().Pause(t.Context(), "resting"))
	must(t, s.eng.Schedules().Create(t.Context(), "pulse", runnel.Every(1000*3600e9), fails.Send(), runnel.Overlap(api.OverlapQueue)))
	for range 2 {
		_, err := s.eng.Schedules().Trigger(t.Context(), "nightly")
		must(t, err)
	}
}

func TestScheduleIsMadeChangedAndDeleted(t *testing.T) {
	s := serve(t, "/x")
	if to := s.post(t, "/new/schedule", "name", "nightly", "task", "double", "args", "[3]", "cron", "30 2 * * 1-5", "zone", "Europe/Berlin", "overlap", "queue", "catch_up", "none", "window", "2h", "tags", "b,a", "reason", "a wish").to(t); to.Path != "/x/schedules/nightly" {
		t.Errorf("a new schedule leads to %s", to)
	}
	s.get(t, "/schedules/nightly").says(t, "weekdays at 02:30 Europe/Berlin", "wait for its end", "2h 00m", "The next ten times", "When the clocks change", "clocks changed")
	s.get(t, "/schedules/nightly/edit").says(t, `value="30 2 * * 1-5"`, `&#34;double&#34;`, `<option selected>queue</option>`, "The next times")
	pipeline := `{"runnel":1,"steps":[{"task":"double","args":[4]}]}`
	if r := s.post(t, "/schedules/nightly/edit", "pipeline", pipeline, "every", "15m", "overlap", "skip", "catch_up", "all"); r.status != 303 {
		t.Fatal(r.text)
	}
	s.get(t, "/schedules").says(t, "every 15m", "nightly/trigger")
	r := s.post(t, "/schedules/nightly/edit", "pipeline", pipeline, "every", "20m", "was", "yesterday")
	if r.status != http.StatusPreconditionFailed {
		t.Errorf("a change of what it was before answers %d", r.status)
	}
	r.says(t, "Somebody has changed it", `value="20m"`)
	for _, verb := range []string{"pause", "resume"} {
		s.get(t, "/schedules/nightly/"+verb).says(t, "nightly", `name="reason"`)
		s.post(t, "/schedules/nightly/"+verb).to(t)
	}
	s.get(t, "/schedules/nightly/trigger").says(t, "0 of its runs are live")
	if to := s.post(t, "/schedules/nightly/trigger").to(t); !strings.HasPrefix(to.Path, "/x/runs/") {
		t.Errorf("triggering leads to %s", to)
	}
	s.get(t, "/schedules/nightly/delete").says(t, "1 run that it made")
	s.post(t, "/schedules/nightly/delete").to(t)
	if r := s.get(t, "/schedules/nightly"); r.status != http.StatusNotFound {
		t.Errorf("a schedule that was deleted answers %d", r.status)
	}
}

func TestNextRunIsSkipped(t *testing.T) {
	s := serve(t, "/x")
	s.fillSchedules(t)
	s.get(t, "/schedules").says(t, "The next 24 hours", "1 run: ")
	next := func() string {
		t.Helper()
		x, err := s.eng.Schedules().Read(t.Context(), "nightly")
		must(t, err)
		return x.Next[0].UTC().Format(time.RFC3339Nano)
	}
	first := next()
	s.get(t, "/schedules/nightly").says(t, "schedules/nightly/skip")
	s.get(t, "/schedules/nightly/skip").says(t, "It makes no run for", "It goes on with", `value="`+first+`"`)
	if to := s.post(t, "/schedules/nightly/skip", "at", first, "reason", "a holiday").to(t); to.Path != "/x/schedules/nightly" {
		t.Errorf("skipping leads to %s", to)
	}
	second := next()
	if second == first {
		t.Errorf("the next time is still %s", first)
	}
	s.post(t, "/schedules/nightly/skip", "at", first).to(t) // somebody else's dialog was open
	if next() != second {
		t.Error("a time that was skipped already is skipped again")
	}
	if r := s.get(t, "/schedules/resting/skip"); r.status != http.StatusConflict {
		t.Errorf("skipping of a paused one answers %d", r.status)
	}
	if r := s.get(t, "/schedules/resting"); strings.Contains(r.text, "resting/skip") {
		t.Error("a paused one offers to skip")
	}
}

func TestScheduleFormKeepsWhatWasTyped(t *testing.T) {
	s := serve(t, "")
	s.fillSchedules(t)
	right := []string{"name", "new", "task", "double", "args", "[3]", "cron", "30 2 * * *"}
	for _, c := range []struct{ name, value, says string }{
		{"cron", "30 25 * * *", "25"},
		{"cron", "", "At which times?"},
		{"every", "often", "no time span"},
		{"every", "5m", "not both"},
		{"zone", "Europe/Nowhere", "Nowhere"},
		{"args", "[1, 2", "no JSON array"},
		{"pipeline", "{}", "not both"},
		{"task", "", "What is to be run?"},
		{"name", "nightly", "already"},
		{"name", "", "Type a name"},
		{"window", "long", "no time span"},
	} {
		r := s.post(t, "/new/schedule", append([]string{c.name, c.value}, right...)...)
		if r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s=%q answers %d", c.name, c.value, r.status)
		}
		r.says(t, `id="flaw-`+c.name+`"`, c.says)
	}
	s.post(t, "/new/schedule", append([]string{"task", "nothing"}, right...)...).says(t, "nothing")
	s.get(t, "/new/schedule?shown=1&cron=30+2+*+*+*&zone=America/New_York").says(t, "The next times", "-05:00", "-04:00")
	s.get(t, "/new/schedule?shown=1&cron=nonsense").says(t, "nonsense")
}

// TestBackfillSaysHowMany before it makes any.
func TestBackfillSaysHowMany(t *testing.T) {
	s := serve(t, "")
	must(t, s.eng.Schedules().Create(t.Context(), "nightly", runnel.Cron("30 2 * * *").In("Europe/Berlin"), double.Send(3)))
	fields := []string{"from", "2026-10-23T00:00", "to", "2026-10-27T02:30"}
	r := s.post(t, "/schedules/nightly/backfill", fields...)
	r.says(t, "Make 4 runs of “nightly”?", "Fri 23 Oct 2026, 02:30:00 &#43;02:00", "Mon 26 Oct 2026, 02:30:00 &#43;01:00", `name="sure"`)
	if runs := s.get(t, "/api/v1/runs").text; strings.Contains(runs, `"id"`) {
		t.Errorf("there are runs before anybody was sure: %s", runs)
	}
	other := append([]string{"sure", "2026-10-23T00:002026-10-27T02:30"}, "from", "2026-10-22T00:00", "to", "2026-10-27T02:30")
	s.post(t, "/schedules/nightly/backfill", other...).says(t, "Make 5 runs")
	s.post(t, "/schedules/nightly/backfill", append([]string{"sure", "2026-10-23T00:002026-10-27T02:30"}, fields...)...).to(t)
	s.get(t, "/schedules/nightly").says(t, "4 runs, ", "backfill")
	s.post(t, "/schedules/nightly/backfill", "from", "soon", "to", "2026-10-27T02:30").says(t, `id="flaw-from"`, `value="soon"`)
	s.post(t, "/schedules/nightly/backfill", "from", "2026-10-27T02:30", "to", "2026-10-27T02:30").says(t, `id="flaw-to"`)
	s.post(t, "/schedules/nightly/backfill", "from", "2026-10-27T03:30", "to", "2026-10-27T04:30").says(t, "None of its times")
}

func TestScheduleShowsItsLastRuns(t *testing.T) {
	s := serve(t, "")
	must(t, s.eng.Schedules().Create(t.Context(), "often", runnel.Cron("0 0 1 1 *"), double.Send(3), runnel.Overlap(api.OverlapAllow)))
	for range 15 {
		_, err := s.eng.Schedules().Trigger(t.Context(), "often")
		must(t, err)
	}
	_, row, _ := strings.Cut(s.get(t, "/schedules").text, `class="squares"`)
	row, _, _ = strings.Cut(row, "</td>")
	if n := strings.Count(row, "<a "); n != 14 {
		t.Errorf("a schedule that has made 15 runs shows %d of them, want 14", n)
	}
}
