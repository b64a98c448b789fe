package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// read gets a thing, as it is and decoded.
func read[T any](ctx context.Context, c *httpapi.Client, path string, q url.Values) (v T, raw json.RawMessage, err error) {
	if err := c.Do(ctx, http.MethodGet, path, q, nil, &raw); err != nil {
		return v, nil, err
	}
	return v, raw, json.Unmarshal(raw, &v)
}

// whole gives the items of a list that comes in one piece.
func whole(ctx context.Context, c *httpapi.Client, path string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		l, _, err := read[httpapi.List[json.RawMessage]](ctx, c, path, nil)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, item := range l.Items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// because is the header that says why something is done, which the audit keeps.
func because(reason string) http.Header {
	header := http.Header{}
	if reason != "" {
		header.Set("X-Reason", reason)
	}
	return header
}

// send sends a body, nil for none, with a header, and reads the answer.
func send(ctx context.Context, c *httpapi.Client, method, path string, header http.Header, in any) (raw json.RawMessage, status int, err error) {
	if header == nil {
		header = http.Header{}
	}
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, 0, err
		}
		body = bytes.NewReader(text)
		header.Set("Content-Type", "application/json")
	}
	resp, err := c.Raw(ctx, method, path, header, body)
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, resp.StatusCode, httpapi.ReadProblem(resp)
	}
	defer resp.Body.Close()
	raw, err = io.ReadAll(resp.Body)
	return raw, resp.StatusCode, err
}

// shortest is how many digits of an id are looked for at least.
const shortest = 4

// runID gives the id of the run that is meant: an id, the beginning of one, @last or
// @last-failed.
func runID(ctx context.Context, c *httpapi.Client, text string) (string, error) {
	switch text {
	case "@last":
		return newest(ctx, c, nil, "there are no runs")
	case "@last-failed":
		return newest(ctx, c, url.Values{"state": {"failed", "crashed"}}, "no run has failed")
	}
	if id, err := uuid.Parse(text); err == nil && len(text) >= 32 {
		return id.String(), nil
	}
	if len(text) < shortest {
		return "", usagef("%q is too short for a run's id: give %d digits of it or more, or @last, @last-failed", text, shortest)
	}
	if strings.HasPrefix(text, "@") || !mayBeRun(text) {
		return "", usagef("%q can't be looked for: an id is of the digits 0 to 9 and a to f", text)
	}
	found, _, err := read[httpapi.Found](ctx, c, "/search", url.Values{"q": {text}})
	switch {
	case err != nil:
		return "", err
	case len(found.Runs) == 0:
		return "", hinted(api.Errorf(api.ErrNotFound, "", "no run's id begins with %s", text), "see: runnel run ls")
	case len(found.Runs) > 1:
		return "", hinted(&fault{code: exitUsage, cause: api.Errorf(&api.Error{Code: "ambiguous"}, "", "more than one run's id begins with %s", text)},
			"it may be %s", strings.Join(found.Runs, ", "))
	}
	return found.Runs[0], nil
}

// mayBeRun reports whether text may stand for a run, and is no name of something else.
func mayBeRun(text string) bool {
	return strings.HasPrefix(text, "@") || strings.Trim(text, "0123456789abcdefABCDEF-") == ""
}

// newest gives the id of the newest run that a query chooses.
func newest(ctx context.Context, c *httpapi.Client, q url.Values, without string) (string, error) {
	for raw, err := range httpapi.Pages[json.RawMessage](ctx, c, "/runs", q, 1) {
		if err != nil {
			return "", err
		}
		var r api.Run
		if err := json.Unmarshal(raw, &r); err != nil {
			return "", err
		}
		return r.ID, nil
	}
	return "", hinted(api.Errorf(api.ErrNotFound, "", "%s", without), "see: runnel run ls")
}

// taskPath gives the path of the task run RUN/SEQ.
func taskPath(ctx context.Context, c *httpapi.Client, text string) (string, error) {
	run, seq, ok := strings.Cut(text, "/")
	if _, err := strconv.ParseUint(seq, 10, 63); !ok || err != nil {
		return "", usagef("%q is no task run: want RUN/SEQ, such as @last/0", text)
	}
	id, err := runID(ctx, c, run)
	return at("/runs/%/tasks/%", id, seq), err
}

// at makes a path; each % stands for a part that may have any characters.
func at(format string, parts ...string) string {
	var b strings.Builder
	for _, r := range format {
		if r == '%' {
			b.WriteString(url.PathEscape(parts[0]))
			parts = parts[1:]
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
