package httpapi_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// as gives the answer to a client that says what encodings it takes, as it comes.
func (s *served) as(t *testing.T, path, takes string, header http.Header) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range header {
		req.Header.Set(name, header.Get(name))
	}
	if takes != "" {
		req.Header.Set("Accept-Encoding", takes)
	}
	resp, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, text
}

// chain is a pipeline of n calls, one after the other.
func chain(n int) *api.Spec {
	spec := task("double", "1")
	for range n - 1 {
		spec.Steps = append(spec.Steps, api.Step{Call: &api.Call{Task: "double"}})
	}
	return spec
}

func TestAnswersAreCompressed(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, chain(10))
	for range 30 {
		s.ran(t, task("double", "1"))
	}
	for _, c := range []struct {
		name, path, takes, accept string
		want                      bool
	}{
		{"a list", "/api/v1/runs", "gzip", "", true},
		{"one of several", "/api/v1/runs", "br;q=1.0, gzip;q=0.5", "", true},
		{"any", "/api/v1/openapi.json", "gzip, deflate, br", "", true},
		{"a page of explanations", "/docs/api", "gzip", "text/html", true},
		{"a page", "/runs", "gzip", "text/html", true},
		{"a drawing", "/api/v1/runs/" + id + "/graph?open=double&format=svg", "gzip", "", true},
		{"asked not to", "/api/v1/runs", "gzip;q=0", "", false},
		{"asked not to, by all", "/api/v1/runs", "identity", "", false},
		{"not asked for", "/api/v1/runs", "", "", false},
		{"small", "/api/v1/server", "gzip", "", false},
		{"a small problem", "/api/v1/runs/x", "gzip", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, plain := s.as(t, c.path, "", http.Header{"Accept": {c.accept}})
			_, header, text := s.as(t, c.path, c.takes, http.Header{"Accept": {c.accept}})
			if got := header.Get("Content-Encoding"); (got == "gzip") != c.want {
				t.Fatalf("Content-Encoding is %q of %d bytes", got, len(text))
			}
			if !strings.Contains(strings.Join(header.Values("Vary"), ","), "Accept-Encoding") {
				t.Error("a cache is not told that it depends on Accept-Encoding")
			}
			if !c.want {
				return
			}
			unzipped, err := gzip.NewReader(strings.NewReader(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			whole, err := io.ReadAll(unzipped)
			if err != nil || len(whole) != len(plain) || 2*len(text) > len(plain) {
				t.Errorf("%d bytes are %d, unzipped %d (%v)", len(plain), len(text), len(whole), err)
			}
		})
	}
}

func TestETagsHoldForBothForms(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, chain(10))
	path := "/api/v1/runs/" + id + "/graph?open=double&format=svg"
	_, plain, _ := s.as(t, path, "", nil)
	_, zipped, _ := s.as(t, path, "gzip", nil)
	tag := zipped.Get("ETag")
	if tag == "" || tag != plain.Get("ETag") || zipped.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%q and %q", tag, plain.Get("ETag"))
	}
	status, again, text := s.as(t, path, "gzip", http.Header{"If-None-Match": {tag}})
	if status != http.StatusNotModified || len(text) != 0 || again.Get("Content-Encoding") != "" || again.Get("ETag") != tag {
		t.Errorf("%d %v %q", status, again, text)
	}
}

func TestAllAnswersSayWhoseTheyAreAndHowLongTheyTook(t *testing.T) {
	s := serve(t, runnel.RequireToken(secret))
	for _, path := range []string{"/api/v1/runs", "/api/v1/nothing", "/healthz", "/docs/api", "/api/v1/openapi.json"} {
		for _, takes := range []string{"", "gzip"} {
			_, header, _ := s.as(t, path, takes, nil)
			if id := header.Get("X-Request-ID"); len(id) < 20 {
				t.Errorf("%s has the X-Request-Id %q", path, id)
			}
			if took := header.Get("Server-Timing"); !regexp.MustCompile(`^app;dur=\d+\.\d\d$`).MatchString(took) {
				t.Errorf("%s has the Server-Timing %q", path, took)
			}
		}
	}
}

// TestFollowedLinesComeAtOnce: an answer that is compressed while it grows is not held back.
func TestFollowedLinesComeAtOnce(t *testing.T) {
	s := serve(t)
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("talks")})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/runs/"+id+"/logs?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // it asks for gzip
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if !resp.Uncompressed {
		t.Errorf("%v", resp.Header)
	}
	line := make([]byte, 20)
	if _, err := io.ReadFull(resp.Body, line); err != nil {
		t.Fatal(err)
	}
	gate <- struct{}{} // it has not ended before
	if rest, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(line)+string(rest), "still here") {
		t.Errorf("%s%s %v", line, rest, err)
	}
}
