package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Audited is a change that somebody made, or tried to.
type Audited struct {
	Time      time.Time `json:"time"`
	Who       string    `json:"who" doc:"Name of the token; empty where nobody is asked"`
	From      string    `json:"from" doc:"Address that the request came from"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Reason    string    `json:"reason,omitempty" doc:"What X-Reason said"`
	Status    int       `json:"status"`
	RequestID string    `json:"request_id"`
}

// keptAudit is how many are kept to be listed; the log has all.
const keptAudit = 1000

// audit keeps the newest changes of this process.
type audit struct {
	mu  sync.Mutex
	all []Audited
}

// note writes a change to the log and keeps it.
func (a *routes) note(r *http.Request, status int) {
	reason := []rune(r.Header.Get("X-Reason"))
	one := Audited{
		Time: a.now().UTC(), Who: caller(r.Context()).name, From: remoteIP(r), Method: r.Method, Path: r.URL.Path,
		Reason: string(reason[:min(len(reason), 500)]), Status: status, RequestID: requestID(r.Context()),
	}
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "http: audit", slog.String("who", one.Who), slog.String("from", one.From),
		slog.String("method", one.Method), slog.String("path", one.Path), slog.String("reason", one.Reason),
		slog.Int("status", one.Status), slog.String("request_id", one.RequestID))
	a.audit.mu.Lock()
	defer a.audit.mu.Unlock()
	if len(a.audit.all) == keptAudit {
		a.audit.all = slices.Delete(a.audit.all, 0, keptAudit/10)
	}
	a.audit.all = append(a.audit.all, one)
}

func (a *routes) listAudit(context.Context, *empty) (*body[List[Audited]], error) {
	a.audit.mu.Lock()
	defer a.audit.mu.Unlock()
	l := List[Audited]{Items: make([]Audited, 0, len(a.audit.all))}
	for _, one := range slices.Backward(a.audit.all) {
		l.Items = append(l.Items, one)
	}
	return answer(l), nil
}
