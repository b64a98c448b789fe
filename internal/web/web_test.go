package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// What the tests run.
var (
	double = runnel.NewTask1("double", func(ctx context.Context, x int) (int, error) {
		runnel.Logger(ctx).Info("doubling", "x", x)
		return 2 * x, nil
	}, runnel.Tags("math"), runnel.Description("Doubles a number."))
	fails = runnel.NewTask0("fails", func(context.Context) (int, error) {
		return 0, errors.New("no luck <script>alert(1)</script>")
	})
	odd = runnel.NewTask1("odd", func(_ context.Context, x int) (int, error) {
		if x%3 == 0 {
			return 0, fmt.Errorf("%d is a multiple of three", x)
		}
		return x, nil
	}, runnel.Tags("math", "db"))
	held = runnel.NewTask0("held", func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	})
	tagged = runnel.NewTask0("tagged", func(ctx context.Context) (int, error) {
		began <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	}, runnel.Tags("slow"))
	kept   = runnel.NewTask1("kept", func(_ context.Context, x int) (int, error) { return x, nil }, runnel.CacheKey(runnel.InputHash))
	takes  = runnel.NewTask3("takes", func(_ context.Context, n int, _ string, _ map[string]int) (int, error) { return n, nil })
	flips  = runnel.NewTask1("flips", func(_ context.Context, b bool) (bool, error) { return !b, nil })
	report = runnel.NewFlow1("report", func(f runnel.Flow, n int) (int, error) {
		sum := 0
		for i := range n {
			x, err := double.Call(f, i)
			if err != nil {
				return 0, err
			}
			sum += x
		}
		return sum, nil
	}, runnel.Description("Doubles so many numbers."))
)

// began is told by each body of tagged.
var began = make(chan struct{}, 1000)

// site is an engine behind a server with pages.
type site struct {
	eng *runnel.Engine
	url string
	// runs are ids by what they are examples of.
	runs map[string]string
	http *http.Client
}

func serve(t *testing.T, prefix string, opts ...runnel.HandlerOption) *site {
	t.Helper()
	return serveWith(t, runnel.Concurrency(64), prefix, opts...)
}

// serveWith is serve with an engine that has an option more.
func serveWith(t *testing.T, opt runnel.OpenOption, prefix string, opts ...runnel.HandlerOption) *site {
	t.Helper()
	eng, err := runnel.Open(t.Context(), "memory:", opt, runnel.Register(double, fails, odd, held, tagged, kept, takes, flips, report),
		runnel.LogTo(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, eng.Handler(opts...)))
	srv := httptest.NewServer(mux)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel() // bodies that are held are not waited for
		_ = eng.Close(ctx)
		srv.Close()
	})
	return &site{
		eng: eng, url: srv.URL + prefix, runs: map[string]string{},
		http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// typical fills a site with runs of each kind.
func (s *site) typical(t *testing.T) *site {
	t.Helper()
	s.run(t, "done", call("report", "3"))
	s.run(t, "failed", call("fails"))
	s.run(t, "many", each(40, "odd"))
	s.run(t, "kept", call("kept", "7"))
	s.run(t, "again", call("kept", "7"))
	s.submit(t, "live", call("held"))
	s.fill(t)
	return s
}

func call(task string, args ...string) *api.Spec {
	c := &api.Call{Task: task}
	for _, a := range args {
		c.Args = append(c.Args, []byte(a))
	}
	return &api.Spec{Steps: []api.Step{{Call: c}}}
}

// each is a pipeline with a group of n calls.
func each(n int, task string) *api.Spec {
	spec := &api.Spec{Steps: []api.Step{{Group: &api.Group{}}}}
	for i := range n {
		spec.Steps[0].Group.Children = append(spec.Steps[0].Group.Children, *call(task, fmt.Sprint(i)))
	}
	return spec
}

func (s *site) submit(t *testing.T, name string, spec *api.Spec) {
	t.Helper()
	text, err := spec.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	r := s.do(t, http.MethodPost, "/api/v1/runs", `{"name":"`+name+` run","pipeline":`+string(text)+`}`, "Content-Type", "application/json")
	_, id, found := strings.Cut(r.text, `"id":"`)
	if r.status != http.StatusCreated || !found {
		t.Fatalf("submit %s: %d %s", name, r.status, r.text)
	}
	s.runs[name] = id[:36]
}

// run is submit that waits for the end.
func (s *site) run(t *testing.T, name string, spec *api.Spec) {
	t.Helper()
	s.submit(t, name, spec)
	s.get(t, "/api/v1/runs/"+s.runs[name]+"/result?wait_ms=60000")
}

// reply is what a request was answered.
type reply struct {
	status  int
	header  http.Header
	text    string
	cookies []*http.Cookie
	url     *url.URL
}

// to is where a redirect leads.
func (r *reply) to(t *testing.T) *url.URL {
	t.Helper()
	u, err := r.url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusSeeOther {
		t.Fatalf("%s answers %d, Location %q: %.300s", r.url, r.status, r.header.Get("Location"), r.text)
	}
	return u
}

func (s *site) get(t *testing.T, path string, header ...string) *reply {
	t.Helper()
	return s.do(t, http.MethodGet, path, "", header...)
}

// do sends a request. header is names and values.
func (s *site) do(t *testing.T, method, path, body string, header ...string) *reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,*/*")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &reply{status: resp.StatusCode, header: resp.Header, text: string(text), cookies: resp.Cookies(), url: r.URL}
}

// post sends a form.
func (s *site) post(t *testing.T, path string, fields ...string) *reply {
	t.Helper()
	return s.do(t, http.MethodPost, path, formOf(fields), "Content-Type", "application/x-www-form-urlencoded")
}

// formOf is a form of names and values.
func formOf(fields []string) string {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return form.Encode()
}

// begun waits until a body of tagged runs.
func (s *site) begun(t *testing.T) {
	t.Helper()
	select {
	case <-began:
	case <-t.Context().Done():
		t.Fatal("no body has begun")
	}
}

// TestPages reads every page of a site without runs, with some, and with a large one.
func TestPages(t *testing.T) {
	for name, fill := range map[string]func(*testing.T, *site){
		"empty":   func(*testing.T, *site) {},
		"typical": func(t *testing.T, s *site) { s.typical(t) },
		"huge": func(t *testing.T, s *site) {
			s.run(t, "many", each(5000, "odd"))
			for range 60 {
				s.submit(t, "one", call("double", "1"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "")
			fill(t, s)
			seen := s.crawl(t, "/runs")
			t.Logf("%d pages", len(seen))
		})
	}
}

// TestPagesUnderPrefix does so where the site is below a path.
func TestPagesUnderPrefix(t *testing.T) {
	s := serve(t, "/some/where").typical(t)
	seen := s.crawl(t, "/")
	for path := range seen {
		if !strings.HasPrefix(path, "/some/where/") {
			t.Errorf("a link leads to %s, out of the prefix", path)
		}
	}
}

// crawl follows all links from a page, checks each page, and gives the paths.
func (s *site) crawl(t *testing.T, from string) map[string]bool {
	t.Helper()
	start, err := url.Parse(s.url + from)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	queue := []*url.URL{start}
	shapes := map[string]int{}
	for len(queue) > 0 {
		u := queue[0]
		queue = queue[1:]
		key := u.Path + "?" + u.RawQuery
		if seen[key] {
			continue
		}
		seen[key] = true
		if shape := s.shape(u); shapes[shape] < 4 {
			shapes[shape]++
			queue = append(queue, s.check(t, u)...)
		}
	}
	return seen
}

// shape is a URL with what differs from one run to another left out: a few of each are
// looked at.
func (s *site) shape(u *url.URL) string {
	path := u.Path
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		if len(part) == 36 || strings.Trim(part, "0123456789") == "" && part != "" {
			part = "*"
		}
		if name, number, ok := strings.Cut(part, "-"); ok && strings.Trim(number, "0123456789") == "" {
			part = name + "-*" // one of many that a test made
		}
		parts = append(parts, part)
	}
	names := slices.Sorted(maps.Keys(u.Query()))
	tab := u.Query().Get("tab")
	return strings.Join(parts, "/") + "?" + strings.Join(names, "&") + tab
}
