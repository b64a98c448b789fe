package httpapi

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// Pages that explain the API. They are made of what the routes are, once, and load
// nothing from elsewhere.

//go:embed pages
var pageFiles embed.FS

// meaning explains a code.
type meaning struct {
	Code    api.Code
	Status  int
	Meaning string
}

// meanings has every code that leaves here; a test compares.
var meanings = []meaning{
	{api.ErrInvalid.Code, 422, "Something in the request is not as it must be; detail says what and where, errors has the fields."},
	{api.ErrUnknownTask.Code, 422, "A task of that name is registered nowhere. GET /api/v1/flows lists those of this server."},
	{api.ErrEncoding.Code, 422, "A value can't be read as the type that it must have, or not be written as JSON."},
	{api.ErrNotFound.Code, 404, "There is no such thing, or it was removed: runs go 30 days after their end unless the engine was told otherwise."},
	{api.ErrConflict.Code, 409, "What there is does not allow it, and none of the codes below says it better: an Idempotency-Key of another request, a name that is taken."},
	{"run_live", 409, "The run goes on: what has been asked for is for runs that have ended. Cancel it, or wait for its end."},
	{"run_final", 409, "The run has ended, so there is nothing to cancel, pause or resume."},
	{"nothing_failed", 409, "Nothing of the run failed, was cancelled or never ran. Retry all of it, or from one of its task runs on."},
	{"retried_meanwhile", 409, "Somebody else retried the run at the same time, and was first."},
	{"task_not_ended", 409, "The task run has not ended, so nothing can begin from it again. Retry what its run did not complete, or all of it."},
	{"task_final", 409, "The task run has ended, so there is nothing to cancel."},
	{"task_replaced", 409, "The task run is of an earlier attempt or generation; others have run in its place. Retry from one of those."},
	{"inside_call", 409, "The task run is part of what a flow called, and a flow makes a call again whole. detail says what the call began with: retry from that."},
	{errAmbiguous.Code, 409, "Several task runs have the name. detail says which: give the number of one."},
	{api.ErrCancelled.Code, 409, "The attempt for which a worker asks for slots was cancelled, or its run was. Stop it."},
	{api.ErrTimeout.Code, 504, "It took too long. A request whose answer was lost may have been done; Idempotency-Key makes asking again safe."},
	{api.ErrClosed.Code, 503, "The engine is closing. Try again at another one, or later."},
	{api.ErrStore.Code, 503, "The database can't be reached, or is out of room. Try again after Retry-After; the server's log has the cause."},
	{CodeAttemptLost, 409, "The attempt is not this worker's any more: its lease ran out, or it has ended. Stop it; what it comes to is not wanted."},
	{CodeWorkerLost, 404, "The worker is not known any more. Register again; what it had is given to others."},
	{CodeMalformed, 400, "The body is no JSON, or is missing."},
	{CodeUnauthorized, 401, "A token is needed, or the one that was sent is not known or has expired."},
	{CodeForbidden, 403, "The token's role does not allow it, or the server is read-only, or a page of another site sent it."},
	{CodeMethod, 405, "The path does not take this method; Allow has those that it takes."},
	{CodePrecondition, 412, "It was changed since it was read: If-Match names another version. Read it again, then decide. Or If-None-Match asked for a new one, and there is one."},
	{CodeTooLarge, 413, "The body is larger than this server takes, 8 MiB unless it was told otherwise."},
	{CodeMediaType, 415, "The body is of another kind than JSON."},
	{CodeTooMany, 429, "Too many attempts to log in, or too many event streams. Try again after Retry-After."},
	{CodeInternal, 500, "A mistake of ours. The server's log has it under request_id."},
}

// docGroup is a part of the page of routes.
type docGroup struct {
	ID, Name string
	Routes   []docRoute
}

type docRoute struct {
	Method, Path, OperationID, Summary string
	Parameters, Fields                 []docField
}

type docField struct {
	Name, In, Type, Doc string
	Required            bool
}

// docRoutes puts the pages on the mux. The description is complete by now.
func docRoutes(mux *http.ServeMux, doc *huma.OpenAPI) {
	templates := template.Must(template.ParseFS(pageFiles, "pages/*.html"))
	show := func(path, name string, data any) {
		var b bytes.Buffer
		if err := templates.ExecuteTemplate(&b, name, data); err != nil {
			panic(err) // templates and data are ours
		}
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { writePage(w, "text/html; charset=utf-8", b.Bytes()) })
	}
	show("/docs/api", "api.html", struct {
		Info   *huma.Info
		Groups []docGroup
	}{doc.Info, docGroups(doc)})
	show("/docs/errors", "errors.html", meanings)
	css, err := pageFiles.ReadFile("pages/pages.css")
	if err != nil {
		panic(err)
	}
	mux.HandleFunc("GET /docs/pages.css", func(w http.ResponseWriter, _ *http.Request) { writePage(w, "text/css; charset=utf-8", css) })
}

func writePage(w http.ResponseWriter, kind string, text []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'")
	_, _ = w.Write(text)
}

// docGroups orders the routes by group and path.
func docGroups(doc *huma.OpenAPI) []docGroup {
	byName := map[string]*docGroup{}
	for path, item := range doc.Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete} {
			if o == nil {
				continue
			}
			name := o.Tags[0]
			if byName[name] == nil {
				byName[name] = &docGroup{ID: strings.ReplaceAll(name, " ", "-"), Name: name}
			}
			byName[name].Routes = append(byName[name].Routes, docRoute{
				Method: method, Path: path, OperationID: o.OperationID, Summary: o.Summary,
				Parameters: docParameters(o), Fields: docFields(doc, o),
			})
		}
	}
	var groups []docGroup
	for _, g := range byName {
		slices.SortFunc(g.Routes, func(a, b docRoute) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b docGroup) int { return cmp.Compare(a.Name, b.Name) })
	return groups
}

func docParameters(o *huma.Operation) []docField {
	var fields []docField
	for _, p := range o.Parameters {
		fields = append(fields, docField{Name: p.Name, In: p.In, Type: typeOf(p.Schema), Doc: p.Description, Required: p.Required})
	}
	return fields
}

// docFields gives the fields of the body that an operation takes.
func docFields(doc *huma.OpenAPI, o *huma.Operation) []docField {
	if o.RequestBody == nil || o.RequestBody.Content["application/json"] == nil {
		return nil
	}
	s := o.RequestBody.Content["application/json"].Schema
	if s.Ref != "" {
		s = doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	var fields []docField
	for name, p := range s.Properties {
		fields = append(fields, docField{Name: name, Type: typeOf(p), Doc: p.Description, Required: slices.Contains(s.Required, name)})
	}
	slices.SortFunc(fields, func(a, b docField) int { return cmp.Compare(a.Name, b.Name) })
	return fields
}

func typeOf(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	case s.Type == huma.TypeArray:
		return "list of " + typeOf(s.Items)
	case s.Format == "date-time":
		return "time"
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			if text, ok := v.(string); ok {
				values = append(values, text)
			}
		}
		return strings.Join(values, ", ")
	}
	return cmp.Or(s.Type, "any")
}
