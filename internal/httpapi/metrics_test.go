package httpapi_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func (s *served) metrics(t *testing.T) (map[string]*dto.MetricFamily, string) {
	t.Helper()
	status, header, body := s.get(t, "/metrics")
	if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %v", status, header)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return all, body
}

// value gives what a family has under one label's value, or without labels.
func value(f *dto.MetricFamily, label string) float64 {
	for _, m := range f.GetMetric() {
		if label == "" && len(m.GetLabel()) == 0 || len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == label {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return -1
}

func TestMetrics(t *testing.T) {
	s := serve(t)
	if err := s.SetLimit(t.Context(), "math", 3); err != nil {
		t.Fatal(err)
	}
	s.ran(t, task("double", "21"))
	s.ran(t, task("fails"))
	s.ran(t, task("kept", "1"))
	s.ran(t, task("kept", "1"))
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("held")})
	if err != nil {
		t.Fatal(err)
	}
	for {
		run, err := s.Status(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if run.Tasks["held"].Running == 1 {
			break
		}
	}
	all, body := s.metrics(t)
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	for _, c := range []struct {
		name, label string
		want        float64
	}{
		{"runnel_runs", "running", 1},
		{"runnel_runs_submitted_total", "", 5},
		{"runnel_runs_ended_total", "completed", 3},
		{"runnel_runs_ended_total", "failed", 1},
		{"runnel_task_runs", "running", 1},
		{"runnel_task_runs", "pending", 0},
		{"runnel_task_runs_ended_total", "completed", 3},
		{"runnel_task_runs_ended_total", "failed", 1},
		{"runnel_attempts_total", "", 3},
		{"runnel_attempt_seconds", "", 3},
		{"runnel_queue_attempts_total", "default", 3},
		{"runnel_queue_arrivals_total", "default", 5}, // one is held, one took its result from the cache
		{"runnel_wait_seconds", "", 3},
		{"runnel_cache_hits_total", "", 1},
		{"runnel_cache_misses_total", "", 1},
		{"runnel_limit_slots", "math", 3},
		{"runnel_limit_slots_used", "math", 0},
		{"runnel_store_reachable", "", 1},
		{"runnel_queue_running", "default", 1},
		{"runnel_worker_busy", "", 1},
		{"runnel_sse_clients", "", 0},
		{"runnel_late_answers_total", "", 0},
	} {
		if got := value(all[c.name], c.label); got != c.want {
			t.Errorf("%s{%s} is %g, want %g", c.name, c.label, got, c.want)
		}
	}
	commits, sizes := value(all["runnel_commits_total"], ""), value(all["runnel_commit_changes"], "")
	if changes := value(all["runnel_committed_changes_total"], ""); commits < 5 || commits != sizes || changes < commits {
		t.Errorf("%g commits, %g sizes, %g changes", commits, sizes, changes)
	}
	if all["go_goroutines"] == nil || all["process_cpu_seconds_total"] == nil {
		t.Error("the process says nothing of itself")
	}
	if err := s.Cancel(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// The dashboard and the documentation name metrics that there are, and the documentation all
// of Runnel's own.
func TestMetricsAreDocumented(t *testing.T) {
	s := serve(t)
	if err := s.SetLimit(t.Context(), "math", 3); err != nil {
		t.Fatal(err)
	}
	if err := s.SetGlobalLimit(t.Context(), api.GlobalLimit{Name: "api", Limit: 1}); err != nil {
		t.Fatal(err)
	}
	s.ran(t, task("double", "21"))
	all, _ := s.metrics(t)
	for _, file := range []string{"../../docs/grafana.json", "../../docs/observability.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s is not JSON", file)
		}
		named := regexp.MustCompile(`\brunnel_[a-z_]+\b`).FindAllString(string(text), -1)
		for i, name := range named {
			if base := strings.TrimSuffix(name, "_bucket"); all[base].GetType() == dto.MetricType_HISTOGRAM {
				named[i] = base
			}
			switch named[i] {
			case "runnel_runs", "runnel_queue_ready", "runnel_queue_running", "runnel_queue_oldest_seconds": // there is none now
			default:
				if all[named[i]] == nil {
					t.Errorf("%s: there is no %s", file, name)
				}
			}
		}
		for name := range all {
			if strings.HasSuffix(file, ".md") && strings.HasPrefix(name, "runnel_") && !slices.Contains(named, name) {
				t.Errorf("%s says nothing of %s", file, name)
			}
		}
	}
}
