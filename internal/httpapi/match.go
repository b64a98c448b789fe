package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// IfMatch has a change refused that would be of something else than was read.
type IfMatch struct {
	Match string `header:"If-Match" maxLength:"4000" doc:"The ETag that it must still have, or one of several"`
}

// etag names a version by when it came about.
func etag(updated time.Time) string { return fmt.Sprintf("%q", updated.UTC().Format(time.RFC3339Nano)) }

// runTag names what a run has come to, as far as verbs go by it: what its task runs do
// meanwhile does not change it.
func runTag(r *api.Run) string { return fmt.Sprintf(`"%d.%s"`, r.Generation, r.State) }

// taskTag names what a task run has come to.
func taskTag(t *api.TaskRun) string {
	var last time.Time
	if n := len(t.History); n > 0 {
		last = t.History[n-1].Time
	}
	return fmt.Sprintf(`"%d.%s.%d.%d"`, t.Generation, t.State, t.Attempt, last.UnixMicro())
}

// allows checks the header against what there is.
func (m IfMatch) allows(known bool, tag string) error {
	if m.Match == "" {
		return nil
	}
	for one := range strings.SplitSeq(m.Match, ",") {
		if one = strings.TrimSpace(one); known && (one == "*" || one == tag) {
			return nil
		}
	}
	return problem(http.StatusPreconditionFailed, CodePrecondition, "it has been changed since it was read; read it again, then decide")
}

// unchanged does something if what it is about is as If-Match says.
func (a *routes) unchanged(m IfMatch, tag func() (string, error), do func() error) error {
	if m.Match == "" {
		return do()
	}
	a.writing.Lock()
	defer a.writing.Unlock()
	is, err := tag()
	known, err := found(err)
	if err != nil {
		return err
	}
	if err := m.allows(known, is); err != nil {
		return err
	}
	return do()
}

// found tells an error that says that there is none from other ones.
func found(err error) (bool, error) {
	if errors.Is(err, api.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func createdUnless(known bool) int {
	if known {
		return http.StatusOK
	}
	return http.StatusCreated
}
