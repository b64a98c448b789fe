package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// Problem is what went wrong, as RFC 9457 has it. Code is the contract: it is that
// of an [api.Error], or one of those below, and stays what it is.
type Problem struct { //nolint:errname // the RFC calls it so
	Type      string              `json:"type" doc:"Where the code is explained" example:"/docs/errors#not_found"`
	Title     string              `json:"title" example:"Not Found"`
	Status    int                 `json:"status" example:"404"`
	Code      api.Code            `json:"code" doc:"What kind of problem it is" example:"not_found"`
	Detail    string              `json:"detail" example:"no limit on tag \"dbb\""`
	Instance  string              `json:"instance,omitempty" doc:"The path that was asked"`
	RequestID string              `json:"request_id,omitempty" doc:"Finds the request in the server's log"`
	Errors    []*huma.ErrorDetail `json:"errors,omitempty" doc:"What is wrong with which field"`

	header http.Header
}

// Codes that only HTTP has.
const (
	CodeUnauthorized api.Code = "unauthorized"
	CodeForbidden    api.Code = "forbidden"
	CodeMalformed    api.Code = "malformed"
	CodeTooLarge     api.Code = "too_large"
	CodeMethod       api.Code = "method_not_allowed"
	CodeMediaType    api.Code = "media_type"
	CodePrecondition api.Code = "precondition"
	CodeTooMany      api.Code = "too_many_requests"
	CodeInternal     api.Code = "internal"
)

// Error gives the detail.
func (p *Problem) Error() string { return p.Detail }

// Is compares codes, of which some are of the kind of another, so that errors.Is finds the Err variables of package api.
func (p *Problem) Is(target error) bool {
	e, ok := target.(*api.Error)
	return ok && (&api.Error{Code: p.Code}).Is(e)
}

// GetStatus gives the status of the response.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders gives the response's headers.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType makes JSON that of a problem.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func problem(status int, code api.Code, detail string) *Problem {
	return &Problem{
		Type: "/docs/errors#" + string(code), Title: http.StatusText(status),
		Status: status, Code: code, Detail: detail,
	}
}

// statuses says which status a code has. What is not here is a mistake of ours.
var statuses = map[api.Code]int{
	api.ErrInvalid.Code:     http.StatusUnprocessableEntity,
	api.ErrUnknownTask.Code: http.StatusUnprocessableEntity,
	api.ErrEncoding.Code:    http.StatusUnprocessableEntity,
	api.ErrNotFound.Code:    http.StatusNotFound,
	api.ErrConflict.Code:    http.StatusConflict,
	api.ErrCancelled.Code:   http.StatusConflict,
	api.ErrTimeout.Code:     http.StatusGatewayTimeout,
	api.ErrClosed.Code:      http.StatusServiceUnavailable,
	api.ErrStore.Code:       http.StatusServiceUnavailable,
	CodeAttemptLost:         http.StatusConflict,
	CodeWorkerLost:          http.StatusNotFound,
}

// statusOf gives the status of a code, or of the kind that it is of; 0 for one that
// nobody is to see.
func statusOf(code api.Code) int {
	if status := statuses[code]; status != 0 {
		return status
	}
	for kind, status := range statuses {
		if errors.Is(&api.Error{Code: code}, &api.Error{Code: kind}) {
			return status
		}
	}
	return 0
}

// failed turns an error of the service into the response. What the service did not
// mean for the caller is logged and not shown.
func (a *routes) failed(ctx context.Context, err error) error { return a.asProblem(ctx, err) }

func (a *routes) asProblem(ctx context.Context, err error) *Problem {
	if done, ok := errors.AsType[*Problem](err); ok {
		return done
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return problem(http.StatusServiceUnavailable, api.ErrTimeout.Code, "the request ended before the answer was there")
	}
	var known *api.Error
	if !errors.As(err, &known) || statusOf(known.Code) == 0 {
		a.log.LogAttrs(ctx, slog.LevelError, "http: request failed", slog.String("request_id", requestID(ctx)), slog.Any("error", err))
		return problem(http.StatusInternalServerError, CodeInternal, "something went wrong here; the server's log has it under this request_id")
	}
	p := problem(statusOf(known.Code), known.Code, plainly(err.Error()))
	if p.Status == http.StatusServiceUnavailable {
		a.log.LogAttrs(ctx, slog.LevelWarn, "http: unavailable", slog.String("request_id", requestID(ctx)), slog.Any("error", err))
		p.Detail = "the database or the engine is not available at the moment; try again"
		p.header = http.Header{"Retry-After": {"1"}}
	}
	return p
}

// codes of what huma finds wrong by itself.
var humaCodes = map[int]api.Code{
	http.StatusBadRequest:            CodeMalformed,
	http.StatusUnauthorized:          CodeUnauthorized,
	http.StatusForbidden:             CodeForbidden,
	http.StatusNotFound:              api.ErrNotFound.Code,
	http.StatusMethodNotAllowed:      CodeMethod,
	http.StatusRequestTimeout:        api.ErrTimeout.Code,
	http.StatusPreconditionFailed:    CodePrecondition,
	http.StatusRequestEntityTooLarge: CodeTooLarge,
	http.StatusUnsupportedMediaType:  CodeMediaType,
	http.StatusUnprocessableEntity:   api.ErrInvalid.Code,
	http.StatusTooManyRequests:       CodeTooMany,
}

// ofHuma makes a problem of what huma found.
func ofHuma(m *huma.ErrorModel) *Problem {
	code, known := humaCodes[m.Status]
	if !known {
		return problem(http.StatusInternalServerError, CodeInternal, "something went wrong here")
	}
	p := problem(m.Status, code, plainly(m.Detail))
	p.Errors = plainErrors(m.Errors)
	return p
}

// finish is a transformer: every error that leaves is a problem that says where it
// came from.
func finish(ctx huma.Context, _ string, v any) (any, error) {
	if m, ok := v.(*huma.ErrorModel); ok {
		v = ofHuma(m)
	}
	if p, ok := v.(*Problem); ok {
		u := ctx.URL()
		p.Instance, p.RequestID = u.Path, requestID(ctx.Context())
	}
	return v, nil
}

// describeProblems puts problems into the description of each operation, where huma
// has its own form of them.
func describeProblems(doc *huma.OpenAPI) {
	schema := doc.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for _, item := range doc.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if o == nil {
				continue
			}
			for _, r := range o.Responses {
				if c := r.Content["application/problem+json"]; c != nil {
					c.Schema = schema
				}
			}
		}
	}
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	delete(doc.Components.Schemas.Map(), "ErrorDetail")
	doc.Components.Schemas.Schema(reflect.TypeFor[huma.ErrorDetail](), true, "ErrorDetail")
}

// failureOf is what an operation keeps of an error.
func failureOf(id string, err error) OperationFailure {
	f := OperationFailure{ID: id, Code: CodeInternal, Message: "something went wrong here"}
	var known *api.Error
	if errors.As(err, &known) && statusOf(known.Code) != 0 {
		f.Code, f.Message = known.Code, plainly(err.Error())
	}
	return f
}
