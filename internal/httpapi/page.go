package httpapi

import (
	"encoding/base64"
	"iter"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// Page is a part of a list.
type Page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor" doc:"Give it as cursor to go on; null: that was all"`
	SortedOf   int     `json:"sorted_of,omitempty" doc:"With sort: it is of so many, the newest, and there are more"`
	Total
}

// ListQuery is what all lists take.
type ListQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many items at most"`
	Cursor string `query:"cursor" maxLength:"400" doc:"next_cursor of the page before"`
}

// cursorMark begins every cursor, so that what is none is told from one.
const cursorMark = "1:"

// cursor makes one of the id of the last item of a page.
func cursor(id string) *string {
	c := base64.RawURLEncoding.EncodeToString([]byte(cursorMark + id))
	return &c
}

// after gives the id in the query's cursor, "" without one.
func (q *ListQuery) after() (string, error) {
	if q.Cursor == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	id, ok := strings.CutPrefix(string(text), cursorMark)
	if err != nil || !ok || id == "" {
		return "", api.Errorf(api.ErrInvalid, "query.cursor", "this is no cursor: give next_cursor of the page before, or nothing to begin")
	}
	return id, nil
}

// scanned bounds how many items are looked at for one page: of a filter that hardly
// anything fits, the page may be short, or empty, and yet have a cursor.
const scanned = 20_000

// page takes items from a list until it is full. What is to be left out is told by
// keep, nil for nothing.
func page[T any](q *ListQuery, list iter.Seq2[T, error], id func(*T) string, keep func(*T) bool) (*Page[T], error) {
	p := &Page[T]{Items: []T{}}
	seen, last := 0, ""
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		if len(p.Items) == q.Limit || seen == scanned {
			p.NextCursor = cursor(last)
			break
		}
		seen++
		last = id(&item)
		if keep == nil || keep(&item) {
			p.Items = append(p.Items, item)
		}
	}
	return p, nil
}
