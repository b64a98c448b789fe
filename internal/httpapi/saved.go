package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/filter"
)

// SavedFilter is a filter that somebody has given a name, for all who use the server.
type SavedFilter struct {
	Target  string    `json:"target" enum:"runs,tasks" doc:"The list that it chooses from"`
	Name    string    `json:"name"`
	Q       string    `json:"q" doc:"In the filter language"`
	Who     string    `json:"who,omitempty" doc:"Name of the token that it was saved with"`
	Updated time.Time `json:"updated"`
}

// savedKind is the kind of notes that saved filters are: by target and name.
const savedKind = "saved-filter"

// maxSaved is how many are kept for a list.
const maxSaved = 100

// SavedPath says which.
type SavedPath struct {
	Target string `path:"target" enum:"runs,tasks"`
	Name   string `path:"name" minLength:"1" maxLength:"60"`
}

type putSaved struct {
	SavedPath

	Body struct {
		Q string `json:"q" minLength:"1" maxLength:"2000" doc:"In the filter language"`
	}
}

type savedQuery struct {
	Target string `query:"target" enum:"runs,tasks" doc:"Only those of this list"`
}

func (a *routes) savedRoutes(api huma.API) {
	const group = "saved filters"
	do(a, api, op(http.MethodGet, "/filters", "list-filters", group, "List saved filters, by list and name"), a.listSaved)
	do(a, api, op(http.MethodPut, "/filters/{target}/{name}", "put-filter", group, "Save a filter under a name, or another one under that name"), a.putSaved)
	do(a, api, op(http.MethodDelete, "/filters/{target}/{name}", "delete-filter", group, "Delete a saved filter"), a.deleteSaved)
}

// saved reads those of a list, "" for all.
func (a *routes) saved(ctx context.Context, target string) ([]SavedFilter, error) {
	all := []SavedFilter{}
	err := a.opts.Notes.Notes(ctx, savedKind, "", func(_ string, value []byte) error {
		var one SavedFilter
		if err := json.Unmarshal(value, &one); err != nil {
			return err
		}
		if target == "" || one.Target == target {
			all = append(all, one)
		}
		return nil
	})
	return all, err
}

func (a *routes) listSaved(ctx context.Context, in *savedQuery) (*body[List[SavedFilter]], error) {
	all, err := a.saved(ctx, in.Target)
	if err != nil {
		return nil, err
	}
	return answer(List[SavedFilter]{Items: all}), nil
}

func (a *routes) putSaved(ctx context.Context, in *putSaved) (*made[SavedFilter], error) {
	one := SavedFilter{Target: in.Target, Name: in.Name, Q: strings.TrimSpace(in.Body.Q), Who: caller(ctx).name, Updated: a.now().UTC().Truncate(time.Millisecond)}
	if strings.TrimSpace(one.Name) != one.Name {
		return nil, api.Errorf(api.ErrInvalid, "path.name", "a name neither begins nor ends with a space")
	}
	of := filter.Runs
	if in.Target == targetTasks {
		of = filter.TaskRuns
	}
	if _, err := filter.Parse(one.Q, of); err != nil {
		return nil, err
	}
	a.writing.Lock()
	defer a.writing.Unlock()
	all, err := a.saved(ctx, in.Target)
	if err != nil {
		return nil, err
	}
	known := false
	for i := range all {
		known = known || all[i].Name == in.Name
	}
	if !known && len(all) >= maxSaved {
		return nil, api.Errorf(api.ErrConflict, "", "%d filters of %s are saved, more are not kept: delete one first", len(all), in.Target)
	}
	value, err := json.Marshal(&one)
	if err != nil {
		return nil, err
	}
	if err := a.opts.Notes.PutNotes(ctx, Note{Kind: savedKind, Key: in.key(), Value: value}); err != nil {
		return nil, err
	}
	return &made[SavedFilter]{Status: createdUnless(known), Body: one}, nil
}

func (a *routes) deleteSaved(ctx context.Context, in *SavedPath) (*empty, error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	all, err := a.saved(ctx, in.Target)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == in.Name {
			return &empty{}, a.opts.Notes.PutNotes(ctx, Note{Kind: savedKind, Key: in.key()})
		}
	}
	return nil, api.Errorf(api.ErrNotFound, "", "no filter of %s is saved as %q", in.Target, in.Name)
}

// key is that of the note.
func (p *SavedPath) key() string { return p.Target + "/" + p.Name }
