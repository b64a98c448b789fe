package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Audited is a change that somebody made, or tried to.
type Audited struct {
	Time      time.Time `json:"time"`
	Who       string    `json:"who" doc:"Name of the token; empty where nobody is asked"`
	From      string    `json:"from" doc:"Address that the request came from"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Reason    string    `json:"reason,omitempty" doc:"What X-Reason said, or the body of an operation"`
	Status    int       `json:"status"`
	RequestID string    `json:"request_id"`
}

// Kinds of notes that are the audit. Requests of whom nobody knows are apart, so that
// they can't push out the others.
const (
	auditKind   = "audit"
	unknownKind = "audit-unknown"
)

// How much of the audit is kept: the newest, and not for ever. The log has all.
const (
	keptAudit   = 10_000
	keptUnknown = 1_000
	auditAge    = 180 * 24 * time.Hour
)

// newestFirst begins the keys of what is listed by time, newest first.
func newestFirst(t time.Time) string { return fmt.Sprintf("%016x", math.MaxInt64-t.UnixMicro()) }

func (one *Audited) key() string { return newestFirst(one.Time) + "." + one.RequestID }

func (one *Audited) kind() string {
	if one.Status == http.StatusUnauthorized {
		return unknownKind
	}
	return auditKind
}

// note writes a change to the log and keeps it. But for submissions, of which there may
// be many and of which the runs tell, and for those of whom nobody knows, it is durable
// when the request is answered.
func (a *routes) note(r *http.Request, status int) {
	reason := []rune(r.Header.Get("X-Reason"))
	if req := requestOf(r.Context()); len(reason) == 0 && req != nil {
		reason = []rune(req.reason)
	}
	one := Audited{
		Time: a.now().UTC().Truncate(time.Microsecond), Who: caller(r.Context()).name, From: remoteIP(r), Method: r.Method, Path: r.URL.Path,
		Reason: string(reason[:min(len(reason), 500)]), Status: status, RequestID: requestID(r.Context()),
	}
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "http: audit", slog.String("who", one.Who), slog.String("from", one.From),
		slog.String("method", one.Method), slog.String("path", one.Path), slog.String("reason", one.Reason),
		slog.Int("status", one.Status), slog.String("request_id", one.RequestID))
	kept := a.audit.keep(&one)
	if one.kind() == unknownKind || one.Path == Base+"/runs" {
		return
	}
	select {
	case <-kept:
	case <-r.Context().Done():
	}
}

type auditInput struct {
	ListQuery

	Path string `query:"path" maxLength:"500" doc:"Of what was asked for under this path"`
	Who  string `query:"who" maxLength:"100" doc:"By the token of this name"`
}

func (q *auditInput) wants(one *Audited) bool {
	return strings.HasPrefix(one.Path, q.Path) && (q.Who == "" || q.Who == one.Who)
}

// enough ends a listing that has what it wants.
var errEnough = errors.New("enough")

func (a *routes) listAudit(ctx context.Context, in *auditInput) (*body[Page[Audited]], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	a.audit.settle(ctx)
	var all []Audited
	for _, kind := range []string{auditKind, unknownKind} {
		n := 0
		err := a.audited(ctx, kind, after, func(one Audited) error {
			if one.key() == after || !in.wants(&one) {
				return nil
			}
			if n++; n > in.Limit+1 {
				return errEnough
			}
			all = append(all, one)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(x, y Audited) int { return strings.Compare(x.key(), y.key()) })
	p := Page[Audited]{Items: []Audited{}}
	p.Items = append(p.Items, all[:min(len(all), in.Limit)]...)
	if len(all) > in.Limit {
		p.NextCursor = cursor(p.Items[in.Limit-1].key())
	}
	return answer(p), nil
}

// audited gives what is kept of the audit, newest first, until yield fails.
func (a *routes) audited(ctx context.Context, kind, from string, yield func(Audited) error) error {
	err := a.audit.notes.Notes(ctx, kind, from, func(_ string, value []byte) error {
		var one Audited
		if err := json.Unmarshal(value, &one); err != nil {
			return err
		}
		return yield(one)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
