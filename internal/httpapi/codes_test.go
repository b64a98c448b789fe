package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// holds says that it runs, and does so until it is stopped.
var (
	begun = make(chan struct{}, 1)
	holds = runnel.NewTask1("holds", func(ctx context.Context, _ int) (int, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	})
)

// conflictFlows are flows that refuse what others allow. leaves calls asks when it begins
// for the first time, and nothing when it is done again after a crash.
func conflictFlows() []runnel.OpenOption {
	visited := false
	var mu sync.Mutex
	leaves := runnel.NewFlow0("leaves", func(f runnel.Flow) (string, error) {
		mu.Lock()
		first := !visited
		visited = true
		mu.Unlock()
		if first {
			return asks.Call(f)
		}
		return "", nil
	})
	calls := runnel.NewFlow0("calls", func(f runnel.Flow) (int, error) { return double.Call(f, 1) })
	inside := runnel.NewFlow0("inside", func(f runnel.Flow) (int, error) { return double.Send(1).ContinueWith(kept).Call(f) })
	return []runnel.OpenOption{runnel.Register(double, fails, holds, kept, asks, leaves, calls, inside), runnel.LogTo(slog.New(slog.DiscardHandler))}
}

// stored is served by an engine with a file, which can be opened again.
type stored struct {
	*served

	file string
	opts []runnel.OpenOption
}

func serveStored(t *testing.T) *stored {
	t.Helper()
	s := &stored{file: filepath.Join(t.TempDir(), "codes.db"), opts: conflictFlows()}
	s.open(t)
	t.Cleanup(func() { _ = s.eng.Close(ended(t)) })
	return s
}

func (s *stored) open(t *testing.T) {
	t.Helper()
	eng, err := runnel.Open(t.Context(), "sqlite:"+s.file, s.opts...)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(eng.Handler())
	t.Cleanup(srv.Close)
	c, err := httpapi.NewClient(srv.URL, httpapi.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.served = &served{Client: c, eng: eng, url: srv.URL}
}

// ended is a context with which bodies that are held are not waited for.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cancel()
	return ctx
}

// live submits a pipeline that comes to holds, and waits until that runs: then all
// before it is durable.
func (s *stored) live(t *testing.T, spec *api.Spec) string {
	t.Helper()
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	return id
}

// seqOf gives the number of a run's last task run of a task.
func (s *stored) seqOf(t *testing.T, run, task string) (seq int64) {
	t.Helper()
	seq = -1
	for one, err := range s.TaskRuns(t.Context(), api.TaskRunFilter{Run: run, Task: task}) {
		if err != nil {
			t.Fatal(err)
		}
		seq = one.Seq
	}
	return seq
}

// asks sends a request that is to succeed.
func (s *stored) asks(t *testing.T, path, body string, answer any) {
	t.Helper()
	status, _, text := s.request(t, http.MethodPost, path, body, nil)
	if status >= http.StatusBadRequest {
		t.Fatalf("POST %s: %d %s", path, status, text)
	}
	if answer != nil {
		if err := json.Unmarshal([]byte(text), answer); err != nil {
			t.Fatal(err)
		}
	}
}

// refusal is a request, and what is tried of it.
type refusal struct {
	method, path, body string
	header             http.Header
}

func posts(path, body string) refusal {
	return refusal{method: http.MethodPost, path: path, body: body}
}

// conflicts are requests by the code with which each is refused.
var conflicts = map[api.Code]func(t *testing.T, s *stored) refusal{
	"conflict": func(t *testing.T, s *stored) refusal {
		key := http.Header{"Idempotency-Key": {"one"}}
		if status, _, text := s.request(t, http.MethodPost, "/api/v1/runs", `{"task":"double","args":[1]}`, key.Clone()); status != http.StatusCreated {
			t.Fatal(status, text)
		}
		return refusal{method: http.MethodPost, path: "/api/v1/runs", body: `{"task":"double","args":[2]}`, header: key}
	},
	"run_live": func(t *testing.T, s *stored) refusal {
		return refusal{method: http.MethodDelete, path: "/api/v1/runs/" + s.live(t, task("holds", "1"))}
	},
	"run_final": func(t *testing.T, s *stored) refusal {
		id, _ := s.ran(t, task("double", "1"))
		return posts("/api/v1/runs/"+id+"/cancel", "")
	},
	"nothing_failed": func(t *testing.T, s *stored) refusal {
		id, _ := s.ran(t, task("double", "1"))
		return posts("/api/v1/runs/"+id+"/retry", "")
	},
	"ambiguous_task": func(t *testing.T, s *stored) refusal {
		id, _ := s.ran(t, &api.Spec{Steps: []api.Step{{Group: &api.Group{Children: []api.Spec{*task("double", "1"), *task("double", "2")}}}}})
		return posts("/api/v1/runs/"+id+"/retry", `{"from":"double"}`)
	},
	"task_final": func(t *testing.T, s *stored) refusal {
		two := task("double", "1")
		two.Steps = append(two.Steps, task("holds").Steps...)
		return posts("/api/v1/runs/"+s.live(t, two)+"/tasks/0/cancel", "")
	},
	"task_replaced": func(t *testing.T, s *stored) refusal {
		id, _ := s.ran(t, task("calls"))
		from := fmt.Sprintf("/api/v1/runs/%s/tasks/%d/retry", id, s.seqOf(t, id, "double"))
		s.asks(t, from, "", nil)
		if _, err := s.Wait(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return posts(from, "")
	},
	"inside_call": func(t *testing.T, s *stored) refusal {
		id, _ := s.ran(t, task("inside"))
		return posts(fmt.Sprintf("/api/v1/runs/%s/tasks/%d/retry", id, s.seqOf(t, id, "kept")), "")
	},
	"task_not_ended": func(t *testing.T, s *stored) refusal {
		id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("leaves")})
		if err != nil {
			t.Fatal(err)
		}
		<-tokens
		seq := s.seqOf(t, id, "asks")
		_ = s.eng.Close(ended(t)) // it says that a body was not waited for
		s.open(t)
		if _, err := s.Wait(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return posts(fmt.Sprintf("/api/v1/runs/%s/tasks/%d/retry", id, seq), "")
	},
	"cancelled": func(t *testing.T, s *stored) refusal {
		attempt, run := s.farAttempt(t)
		s.asks(t, "/api/v1/runs/"+run+"/tasks/0/cancel", "", nil)
		return posts(attempt+"/slots", `{"names":["api"],"slots":1}`)
	},
	"attempt_lost": func(t *testing.T, s *stored) refusal {
		attempt, _ := s.farAttempt(t)
		return posts(attempt+"9/finish", `{"result":1}`)
	},
}

// farAttempt has a worker claim a task run, and gives the path of the attempt.
func (s *stored) farAttempt(t *testing.T) (path, run string) {
	t.Helper()
	var worker struct{ Worker string }
	s.asks(t, "/api/v1/workers", `{"name":"gpu-7","slots":1,"tasks":[{"name":"far","params":[]}]}`, &worker)
	s.asks(t, "/api/v1/runs", `{"task":"far"}`, nil)
	var claimed struct {
		Attempts []struct{ Attempt, Run string }
	}
	for len(claimed.Attempts) == 0 {
		s.asks(t, "/api/v1/workers/"+worker.Worker+"/claim", `{"max":1,"wait_ms":5000}`, &claimed)
	}
	return "/api/v1/workers/" + worker.Worker + "/attempts/" + claimed.Attempts[0].Attempt, claimed.Attempts[0].Run
}

// Each code of a conflict that is explained is the answer to some request, and one that
// is the answer to a request is of the kind ErrConflict for who asks in Go.
func TestConflictsHaveTheirCodes(t *testing.T) {
	for code, prepare := range conflicts {
		t.Run(string(code), func(t *testing.T) {
			s := serveStored(t)
			r := prepare(t, s)
			status, _, text := s.request(t, r.method, r.path, r.body, r.header)
			var p httpapi.Problem
			if err := json.Unmarshal([]byte(text), &p); err != nil || status != http.StatusConflict || p.Code != code {
				t.Fatalf("%s %s: %d %s; want 409 %s", r.method, r.path, status, text, code)
			}
			if own := code == "attempt_lost" || code == "cancelled"; !own && !errors.Is(&p, api.ErrConflict) {
				t.Errorf("%s is no ErrConflict", code)
			}
		})
	}
}

// Of several who retry a run at once one is heard; the others are told that, or that
// the run is live again, as it then is.
func TestRetriedMeanwhile(t *testing.T) {
	const clients, rounds = 8, 50
	s := serveStored(t)
	id, _ := s.ran(t, task("fails"))
	for range rounds {
		codes := make([]api.Code, clients)
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				var p *httpapi.Problem
				if err := s.Retry(t.Context(), id); errors.As(err, &p) {
					codes[i] = p.Code
				}
			})
		}
		all.Wait()
		if _, err := s.Wait(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(codes, "retried_meanwhile") {
			return
		}
	}
	t.Errorf("in %d rounds none of %d clients was told that another one was faster", rounds, clients)
}

// TestNoOtherConflicts: no code of a conflict is explained that no test reaches.
func TestNoOtherConflicts(t *testing.T) {
	_, _, page := serve(t).get(t, "/docs/errors")
	var explained []string
	for _, m := range regexp.MustCompile(`<code>([a-z_]+)</code> <small>409</small>`).FindAllStringSubmatch(page, -1) {
		explained = append(explained, m[1])
	}
	reached := []string{"retried_meanwhile"}
	for code := range conflicts {
		reached = append(reached, string(code))
	}
	slices.Sort(explained)
	slices.Sort(reached)
	if !slices.Equal(explained, reached) {
		t.Errorf("explained are %s,\nreached are %s", strings.Join(explained, " "), strings.Join(reached, " "))
	}
}
