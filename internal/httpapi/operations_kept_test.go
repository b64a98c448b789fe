package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// noted is a database of notes that handlers share.
type noted struct {
	mu   sync.Mutex
	kept map[string]map[string][]byte
}

func (n *noted) Notes(_ context.Context, kind, from string, yield func(string, []byte) error) error {
	n.mu.Lock()
	all := maps.Clone(n.kept[kind])
	n.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if key < from {
			continue
		}
		if err := yield(key, all[key]); err != nil {
			return err
		}
	}
	return nil
}

func (n *noted) PutNotes(_ context.Context, notes ...httpapi.Note) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range notes {
		if one.Check && !bytes.Equal(n.kept[one.Kind][one.Key], one.Was) {
			return api.ErrConflict
		}
	}
	for _, one := range notes {
		if n.kept[one.Kind] == nil {
			n.kept[one.Kind] = map[string][]byte{}
		}
		n.kept[one.Kind][one.Key] = one.Value
		if one.Value == nil {
			delete(n.kept[one.Kind], one.Key)
		}
	}
	return nil
}

func (n *noted) clone() *noted {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &noted{kept: map[string]map[string][]byte{}}
	for kind, all := range n.kept {
		c.kept[kind] = maps.Clone(all)
	}
	return c
}

func (n *noted) count(kind string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.kept[kind])
}

// stuck is a service in which the third cancellation does not come to its end.
type stuck struct {
	*httpapi.Client

	mu    sync.Mutex
	asked []string
	third chan struct{} // closed when it was asked for
}

func (s *stuck) Cancel(ctx context.Context, run string) error {
	s.mu.Lock()
	s.asked = append(s.asked, run)
	n := len(s.asked)
	s.mu.Unlock()
	if n == 3 {
		close(s.third)
		<-ctx.Done()
		return ctx.Err()
	}
	return s.Client.Cancel(ctx, run)
}

// server is a handler on shared notes, and a client of it.
type server struct {
	*httpapi.Client

	h *httpapi.Handler
}

func over(t *testing.T, svc httpapi.Service, n *noted, ahead time.Duration) *server {
	t.Helper()
	h := httpapi.NewHandler(func() httpapi.Service { return svc }, httpapi.Options{
		Notes: n, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(ahead) },
	})
	srv := httptest.NewServer(h)
	t.Cleanup(func() { srv.Close(); h.Close() })
	c, err := httpapi.NewClient(srv.URL, httpapi.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &server{c, h}
}

// ends waits for the end of an operation.
func (s *server) ends(t *testing.T, id string) httpapi.Operation {
	t.Helper()
	for {
		o, err := s.Operation(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if o.State != "running" {
			return o
		}
	}
}

// begins has a server begin to cancel five runs, and stop at the third.
func begins(t *testing.T) (first *server, svc *stuck, n *noted, id string) {
	t.Helper()
	s := serve(t)
	var ids []string
	for range 5 {
		h, err := s.eng.Submit(t.Context(), held.Send())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, h.ID())
	}
	svc, n = &stuck{Client: s.Client, third: make(chan struct{})}, &noted{kept: map[string]map[string][]byte{}}
	first = over(t, svc, n, 0)
	o, err := first.Operate(t.Context(), httpapi.OperationRequest{Action: "cancel", IDs: ids, Reason: "all of them"})
	if err != nil {
		t.Fatal(err)
	}
	<-svc.third
	return first, svc, n, o.ID
}

func whole(t *testing.T, o *httpapi.Operation, resumed int) {
	t.Helper()
	if o.State != "done" || o.Done != 5 || o.Failed != 0 || o.Resumed != resumed || o.Reason != "all of them" || o.Finished.IsZero() {
		t.Errorf("the operation ends as %+v", o)
	}
}

// An operation is gone on with by whoever comes next.
func TestOperationAfterServer(t *testing.T) {
	t.Run("that was closed", func(t *testing.T) {
		first, svc, n, id := begins(t)
		first.h.Close()
		o := over(t, svc.Client, n, 0).ends(t, id)
		whole(t, &o, 1)
		if n.count("operation-items") != 0 || n.count("operation") != 1 {
			t.Errorf("what an operation that has ended was done to is still kept")
		}
	})
	t.Run("that has died", func(t *testing.T) {
		_, svc, n, id := begins(t)
		// What was done before is done again, which the runs refuse: that is no failure.
		o := over(t, svc.Client, n.clone(), 11*time.Second).ends(t, id)
		whole(t, &o, 1)
	})
	t.Run("that seemed to be dead", func(t *testing.T) {
		first, svc, n, id := begins(t)
		o := over(t, svc.Client, n, 11*time.Second).ends(t, id)
		whole(t, &o, 1)
		first.h.Close() // it notices, and leaves it as it is
		o = over(t, svc.Client, n, 0).ends(t, id)
		whole(t, &o, 1)
	})
	t.Run("that lives", func(t *testing.T) {
		_, svc, n, id := begins(t)
		other := over(t, svc.Client, n, 0)
		if s, err := other.Server(t.Context()); err != nil || s.Operations != 1 {
			t.Errorf("while an operation runs, %d are said to (%v)", s.Operations, err)
		}
		if o, err := other.Operation(t.Context(), id); err != nil || o.State != "running" || o.Resumed != 0 {
			t.Errorf("%+v (%v)", o, err)
		}
		if err := other.Do(t.Context(), http.MethodPost, "/operations/"+id+"/stop", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if o := other.ends(t, id); o.State != "stopped" || o.Done != 2 || o.Failed != 0 {
			t.Errorf("an operation that was stopped from elsewhere ends as %+v", o)
		}
		if s, err := other.Server(t.Context()); err != nil || s.Operations != 0 {
			t.Errorf("when none runs, %d are said to (%v)", s.Operations, err)
		}
	})
	t.Run("that is stopped when it has died", func(t *testing.T) {
		_, svc, n, id := begins(t)
		dead := n.clone()
		h := httpapi.NewHandler(func() httpapi.Service { return svc.Client }, httpapi.Options{
			Notes: dead, Log: slog.New(slog.DiscardHandler), ReadOnly: true, Now: func() time.Time { return time.Now().Add(time.Minute) },
		})
		t.Cleanup(h.Close)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/operations/"+id+"/stop", nil))
		if w.Code != http.StatusForbidden {
			t.Errorf("a read-only server stops operations: %d", w.Code)
		}
		if n.count("operation-items") == 0 {
			t.Error("a read-only server goes on with operations")
		}
	})
}

// What is done to tasks, kept results and schedules.
func TestOperationTargets(t *testing.T) {
	s := serve(t)
	operate := func(r httpapi.OperationRequest) httpapi.Operation {
		t.Helper()
		o, err := s.Operate(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return (&server{Client: s.Client}).ends(t, o.ID)
	}
	run := func(p runnel.Runnable[int]) string {
		t.Helper()
		h, err := s.eng.Submit(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = h.Wait(t.Context())
		return h.ID()
	}
	failed := run(fails.Send())
	if o := operate(httpapi.OperationRequest{Target: "tasks", Action: "retry", Q: "state:failed task:fails"}); o.Done != 1 || o.Target != "tasks" || o.Q == "" {
		t.Errorf("task runs retried: %+v", o)
	}
	out, err := s.Wait(t.Context(), failed)
	d, derr := s.Run(t.Context(), failed)
	if err != nil || derr != nil || out.State != api.Failed || d.Generation != 1 {
		t.Errorf("it is in generation %d, %s (%v, %v)", d.Generation, out.State, err, derr)
	}
	live, err := s.eng.Submit(t.Context(), held.Send())
	if err != nil {
		t.Fatal(err)
	}
	for task, err := range s.eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: live.ID(), States: []api.State{api.Running}}) {
		if err != nil || task.ID == "" {
			t.Fatal(err)
		}
	}
	if o := operate(httpapi.OperationRequest{Target: "tasks", Action: "cancel", IDs: []string{live.ID() + "/0", failed + "/0"}}); o.Done != 1 || o.Failed != 1 || o.Errors[0].ID != failed+"/0" || o.Errors[0].Code != "run_final" {
		t.Errorf("task runs cancelled: %+v", o)
	}
	run(kept.Send(1))
	run(kept.Send(2))
	if o := operate(httpapi.OperationRequest{Target: "cache", Action: "delete", Name: "kept"}); o.Done != 2 {
		t.Errorf("kept results deleted: %+v", o)
	}
	for _, name := range []string{"nightly-a", "nightly-b", "weekly"} {
		sch := api.Schedule{Name: name, Timetable: api.Timetable{Every: api.Duration(time.Hour)}}
		if err := s.CreateSchedule(t.Context(), sch, &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "fails"}}}}); err != nil {
			t.Fatal(err)
		}
	}
	if o := operate(httpapi.OperationRequest{Target: "schedules", Action: "pause", Name: "nightly"}); o.Done != 2 {
		t.Errorf("schedules paused: %+v", o)
	}
	if o := operate(httpapi.OperationRequest{Target: "schedules", Action: "resume", All: true}); o.Total != 3 {
		t.Errorf("schedules resumed: %+v", o)
	}
	for _, wrong := range []httpapi.OperationRequest{
		{Target: "tasks", Action: "delete", Q: "state:failed"},
		{Target: "cache", Action: "delete", Q: "x"},
		{Target: "cache", Action: "delete"},
		{Target: "schedules", Action: "pause", State: []string{"failed"}},
		{Target: "runs", Action: "cancel", All: true},
		{Target: "tasks", Action: "retry", All: true},
	} {
		if _, err := s.Operate(t.Context(), wrong); !isInvalid(err) {
			t.Errorf("%+v gives %v", wrong, err)
		}
	}
}

func isInvalid(err error) bool {
	p, ok := err.(*httpapi.Problem) //nolint:errorlint // it is given unwrapped
	return ok && p.Code == "invalid"
}

// The audit is in the database: it outlives the server, is paged, and the oldest goes.
func TestAuditIsKept(t *testing.T) {
	path := "sqlite:" + t.TempDir() + "/audit.db"
	open := func() (*runnel.Engine, *httpapi.Client, func()) {
		eng, err := runnel.Open(t.Context(), path, runnel.Register(double), runnel.LogTo(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(eng.Handler())
		c, err := httpapi.NewClient(srv.URL, httpapi.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return eng, c, func() {
			if err := eng.Close(t.Context()); err != nil {
				t.Error(err)
			}
			srv.Close()
		}
	}
	eng, c, end := open()
	run, err := eng.Submit(t.Context(), double.Send(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := c.Do(t.Context(), http.MethodPut, "/limits/db", nil, map[string]int{"limit": i + 1}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.RetryAll(t.Context(), run.ID()); err != nil {
		t.Fatal(err)
	}
	end()
	_, c, end = open()
	defer end()
	var first, rest httpapi.Page[httpapi.Audited]
	if err := c.Do(t.Context(), http.MethodGet, "/audit?limit=3", nil, nil, &first); err != nil || len(first.Items) != 3 || first.NextCursor == nil {
		t.Fatalf("%+v (%v)", first, err)
	}
	if err := c.Do(t.Context(), http.MethodGet, "/audit?cursor="+*first.NextCursor, nil, nil, &rest); err != nil || len(rest.Items) != 1 || rest.NextCursor != nil {
		t.Fatalf("%+v (%v)", rest, err)
	}
	if newest, oldest := first.Items[0], rest.Items[0]; newest.Path != "/api/v1/runs/"+run.ID()+"/retry" || oldest.Path != "/api/v1/limits/db" || newest.Time.Before(oldest.Time) {
		t.Errorf("newest %+v, oldest %+v", newest, oldest)
	}
	var history httpapi.RunHistory
	if err := c.Do(t.Context(), http.MethodGet, "/runs/"+run.ID()+"/history", nil, nil, &history); err != nil || !slices.ContainsFunc(history.Items, func(h httpapi.Happened) bool { return h.Action == "POST retry" }) {
		t.Errorf("the run's history lacks who retried it: %+v (%v)", history, err)
	}
}

func TestAuditIsBounded(t *testing.T) {
	n := &noted{kept: map[string]map[string][]byte{"audit": {}}}
	old := time.Now().Add(-time.Hour)
	for i := range 10_050 {
		at := old.Add(time.Duration(i) * time.Millisecond)
		if i < 10 {
			at = at.Add(-200 * 24 * time.Hour)
		}
		one := httpapi.Audited{Time: at, Method: "PUT", Path: fmt.Sprint("/", i), RequestID: fmt.Sprint(i)}
		value, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		n.kept["audit"][fmt.Sprintf("%016x.%d", 1<<63-1-at.UnixMicro(), i)] = value
	}
	s := over(t, serve(t).Client, n, 0)
	if err := s.SetLimit(t.Context(), "db", 3); err != nil {
		t.Fatal(err)
	}
	s.h.Close()
	if n.count("audit") != 10_000 {
		t.Errorf("%d changes are kept", n.count("audit"))
	}
	if newest := n.kept["audit"][slices.Min(slices.Collect(maps.Keys(n.kept["audit"])))]; !strings.Contains(string(newest), "/limits/db") {
		t.Errorf("the newest is %s", newest)
	}
}
