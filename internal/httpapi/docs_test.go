package httpapi_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestDocPages(t *testing.T) {
	s := serve(t)
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	status, header, page := s.get(t, "/docs/api")
	if status != http.StatusOK || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatal(status, header)
	}
	for path, methods := range doc.Paths {
		for _, o := range methods {
			if !strings.Contains(page, `id="`+o.OperationID+`"`) {
				t.Errorf("the page lacks %s %s", o.OperationID, path)
			}
		}
	}
	for _, path := range []string{"/docs/api", "/docs/errors"} {
		_, _, page := s.get(t, path)
		wellFormed(t, path, page)
		if regexp.MustCompile(`https?://`).MatchString(page) {
			t.Errorf("%s loads something from elsewhere", path)
		}
	}
	if status, header, _ := s.get(t, "/docs/pages.css"); status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/css") {
		t.Errorf("pages.css: %d %s", status, header)
	}
}

// wellFormed reads a page as XML, but for what HTML has of its own.
func wellFormed(t *testing.T, path, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

// TestCodesAreExplained: every code that the sources can send has its place in the page.
func TestCodesAreExplained(t *testing.T) {
	s := serve(t)
	_, _, page := s.get(t, "/docs/errors")
	source, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`api\.Code = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 9 {
		t.Fatalf("found %d codes in problem.go", len(codes))
	}
	for _, code := range []string{
		"invalid", "not_found", "conflict", "store", "closed", "unknown_task", "run_live", "run_final", "nothing_failed", "retried_meanwhile",
		"task_not_ended", "task_final", "task_replaced", "inside_call", "ambiguous_task",
	} {
		codes = append(codes, []string{"", code})
	}
	for _, c := range codes {
		if !strings.Contains(page, `id="`+c[1]+`"`) {
			t.Errorf("the code %s is not explained", c[1])
		}
	}
}
