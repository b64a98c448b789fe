package httpapi_test

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// contract is openapi.json as who writes a client reads it: what may be asked, and what
// answers look like.
type contract struct {
	operations []operation
	schemas    map[string]map[string]any // of components
	compiler   *jsonschema.Compiler

	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema
}

type operation struct {
	method, path, id string
	groups           []string
	params           []parameter
	body             map[string]any // schema of the request's, nil without one
	answers          map[string]map[string]bool
}

type parameter struct {
	Name     string         `json:"name"`
	In       string         `json:"in"`
	Required bool           `json:"required"`
	Schema   map[string]any `json:"schema"`
}

// readContract reads openapi.json.
func readContract(t testing.TB) *contract {
	t.Helper()
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			ID         string      `json:"operationId"`
			Groups     []string    `json:"tags"`
			Parameters []parameter `json:"parameters"`
			Body       struct {
				Content map[string]struct {
					Schema map[string]any `json:"schema"`
				} `json:"content"`
			} `json:"requestBody"`
			Responses map[string]struct {
				Content map[string]map[string]any `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	c := &contract{schemas: doc.Components.Schemas, compiled: map[string]*jsonschema.Schema{}, compiler: jsonschema.NewCompiler()}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			op := operation{
				method: strings.ToUpper(method), path: path, id: o.ID, groups: o.Groups, params: o.Parameters,
				body: o.Body.Content["application/json"].Schema, answers: map[string]map[string]bool{},
			}
			for status, r := range o.Responses {
				op.answers[status] = map[string]bool{}
				for kind, content := range r.Content {
					op.answers[status][kind] = content["schema"] != nil
				}
			}
			c.operations = append(c.operations, op)
		}
	}
	slices.SortFunc(c.operations, func(a, b operation) int { return strings.Compare(a.id, b.id) })
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	return c
}

// schema gives that of an answer.
func (c *contract) schema(o *operation, status, kind string) (*jsonschema.Schema, error) {
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B")
	at := "openapi.json#/paths/" + escape.Replace(o.path) + "/" + strings.ToLower(o.method) +
		"/responses/" + status + "/content/" + escape.Replace(kind) + "/schema"
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.compiled[at]; s != nil {
		return s, nil
	}
	s, err := c.compiler.Compile(at)
	c.compiled[at] = s
	return s, err
}

// reply is an answer that is looked at.
type reply struct {
	status int
	header http.Header
	text   []byte
}

// check says what an answer has that the contract does not allow. sent is all that the
// request said, which may come back in it.
func (c *contract) check(o *operation, r *reply, sent string, codes map[string]bool) (faults []string) {
	fault := func(what string) { faults = append(faults, what) }
	if len(r.header.Get("X-Request-ID")) < 20 {
		fault("it has no request id")
	}
	kind, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	switch {
	case r.status >= http.StatusBadRequest:
		faults = append(faults, checkProblem(r, kind, codes)...)
		if inside := leaks(string(r.text), sent); inside != "" {
			fault("the inside comes out: " + inside)
		}
	case r.status == http.StatusMovedPermanently || r.status == http.StatusTemporaryRedirect || r.status == http.StatusPermanentRedirect:
		if to := r.header.Get("Location"); !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
			fault("it leads to " + to)
		}
		return faults
	}
	status := strconv.Itoa(r.status)
	kinds, known := o.answers[status]
	if !known {
		if kinds, known = o.answers["default"]; !known || r.status < http.StatusBadRequest {
			fault("openapi.json does not name this status")
			return faults
		}
		status = "default"
	}
	hasSchema, known := kinds[kind]
	switch {
	case len(kinds) == 0 && len(r.text) == 0:
		return faults
	case !known:
		fault("openapi.json does not name the type " + kind)
		return faults
	case !hasSchema:
		return faults
	}
	schema, err := c.schema(o, status, kind)
	if err != nil {
		fault(err.Error())
		return faults
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.text))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		fault(err.Error())
	}
	return faults
}

// mayFail are the codes of what a server that can't answer now says.
const mayFail = "timeout closed store"

func checkProblem(r *reply, kind string, codes map[string]bool) (faults []string) {
	var p httpapi.Problem
	if kind != "application/problem+json" || json.Unmarshal(r.text, &p) != nil {
		return []string{"it is no problem document but " + kind}
	}
	if !codes[string(p.Code)] || p.Type != "/docs/errors#"+string(p.Code) {
		faults = append(faults, "its code is not explained")
	}
	if p.Status != r.status || p.Title == "" || p.Detail == "" || p.Instance == "" || p.RequestID != r.header.Get("X-Request-ID") {
		faults = append(faults, "something of it is missing or wrong")
	}
	unavailable := r.status == http.StatusServiceUnavailable && strings.Contains(mayFail, string(p.Code))
	if r.status >= http.StatusInternalServerError && !unavailable {
		faults = append(faults, "it is our own mistake")
	}
	return faults
}

// inside is what programs that tell too much tell.
var inside = regexp.MustCompile(`\w+\.go\b|goroutine|panic|0x[0-9a-f]{8}|/(root|home|tmp|usr|var)/|(?i:\bselect\b.*\bfrom\b|\binsert into\b|\bsqlite|\bpostgres|\bpgx)|` +
	`\b(reflect|strconv|json|httpapi|api|huma|engine|runtime|http|url|regexp|time)\.[A-Z]\w+|\b(strconv|json|base64|reflect|huma|time|parsing time|regexp): |` +
	`map\[|\[\]byte|\bstruct\b|\binterface\b|\bGo (value|type)|%!|<nil>|unmarshal|2006-01-02`)

// itself is a problem's request id, which has any letters.
var itself = regexp.MustCompile(`"request_id":"\w+"`)

// leaks gives what a text tells of the inside that the request did not say.
func leaks(text, sent string) string {
	for _, found := range inside.FindAllString(itself.ReplaceAllString(text, ""), -1) {
		if !strings.Contains(sent, found) {
			return found
		}
	}
	return ""
}

// explained are the codes that a server's page of errors explains.
func explained(t testing.TB, h http.Handler) map[string]bool {
	t.Helper()
	page := ask(t, h, http.MethodGet, "/docs/errors", nil, nil)
	codes := map[string]bool{}
	for _, m := range regexp.MustCompile(`id="(\w+)"`).FindAllSubmatch(page.text, -1) {
		codes[string(m[1])] = true
	}
	if !codes["not_found"] || !codes["internal"] {
		t.Fatalf("the page of errors is %.300s", page.text)
	}
	return codes
}
