package httpapi

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Lists come in one order, that of their keys. Another one is made of the newest of them,
// as many as are looked at for a page: there is no index for it, and none is wanted for each run
// that is written.

// order is by what a list is sorted. What has no such time comes last, either way.
type order[T any] struct {
	by   string // the field, as the cursor has it
	down bool
	of   func(*T) (at int64, has bool)
	id   func(*T) string
}

// ranked is a thing of a list and its place in an order.
type ranked[T any] struct {
	at   int64
	none bool
	id   string
	item T
}

func (o *order[T]) compare(a, b ranked[T]) int {
	first, second := &a, &b
	if o.down {
		first, second = second, first
	}
	return cmp.Or(truth(a.none)-truth(b.none), cmp.Compare(first.at, second.at), cmp.Compare(first.id, second.id))
}

func truth(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// orderOf gives the order that sort names, nil for that of the list.
func orderOf[T any](sort string, fields map[string]func(*T) (int64, bool), id func(*T) string) *order[T] {
	field, down := strings.CutPrefix(sort, "-")
	of := fields[field]
	if of == nil {
		return nil
	}
	return &order[T]{by: sort, down: down, of: of, id: id}
}

// pageBy is a page of a list in an order, nil for its own.
func pageBy[T any](o *order[T], q *ListQuery, list iter.Seq2[T, error], id func(*T) string, keep func(*T) bool) (*Page[T], error) {
	if o == nil {
		return page(q, list, id, keep)
	}
	return o.page(q, list, keep)
}

// page is a page of a list in this order.
func (o *order[T]) page(q *ListQuery, list iter.Seq2[T, error], keep func(*T) bool) (*Page[T], error) {
	from, err := o.after(q)
	if err != nil {
		return nil, err
	}
	p, seen, most := &Page[T]{Items: []T{}}, 0, q.Limit+1 // one more says that there are more
	var best []ranked[T]
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		if seen == scanned {
			p.SortedOf = scanned
			break
		}
		seen++
		if keep != nil && !keep(&item) {
			continue
		}
		at, has := o.of(&item)
		r := ranked[T]{at, !has, o.id(&item), item}
		if from != nil && o.compare(r, *from) <= 0 {
			continue
		}
		if best = append(best, r); len(best) >= 2*most {
			slices.SortFunc(best, o.compare)
			best = best[:most]
		}
	}
	slices.SortFunc(best, o.compare)
	for i := range min(len(best), q.Limit) {
		p.Items = append(p.Items, best[i].item)
	}
	if len(best) > q.Limit {
		last := &best[q.Limit-1]
		p.NextCursor = cursor(strings.Join([]string{o.by, strconv.FormatInt(last.at, 10), strconv.FormatBool(last.none), last.id}, " "))
	}
	return p, nil
}

// after gives the last of the page before, nil for the first page.
func (o *order[T]) after(q *ListQuery) (*ranked[T], error) {
	text, err := q.after()
	if err != nil || text == "" {
		return nil, err
	}
	words := strings.Split(text, " ")
	if len(words) != 4 || words[0] != o.by {
		return nil, api.Errorf(api.ErrInvalid, "query.cursor", "this is a cursor of a list in another order: give none to begin")
	}
	at, wrong := strconv.ParseInt(words[1], 10, 64)
	if wrong != nil {
		return nil, api.Errorf(api.ErrInvalid, "query.cursor", "this is no cursor: give next_cursor of the page before, or nothing to begin")
	}
	return &ranked[T]{at: at, none: words[2] == "true", id: words[3]}, nil
}

// runOrders are what runs are sorted by. What goes on has taken as long as by now.
func runOrders(now time.Time) map[string]func(*api.Run) (int64, bool) {
	return map[string]func(*api.Run) (int64, bool){
		"created":  func(r *api.Run) (int64, bool) { return ordinal(r.Created) },
		"ended":    func(r *api.Run) (int64, bool) { return ordinal(r.Finished) },
		"duration": func(r *api.Run) (int64, bool) { return lasted(r.Created, r.Finished, now) },
	}
}

func taskOrders(now time.Time) map[string]func(*api.TaskRun) (int64, bool) {
	return map[string]func(*api.TaskRun) (int64, bool){
		"started":  func(t *api.TaskRun) (int64, bool) { return ordinal(t.Started) },
		"ended":    func(t *api.TaskRun) (int64, bool) { return ordinal(t.Finished) },
		"duration": func(t *api.TaskRun) (int64, bool) { return lasted(t.Started, t.Finished, now) },
	}
}

func ordinal(t time.Time) (int64, bool) {
	if t.IsZero() {
		return 0, false
	}
	return t.UnixMicro(), true
}

func lasted(from, to, now time.Time) (int64, bool) {
	if to.IsZero() {
		to = now
	}
	return to.Sub(from).Microseconds(), !from.IsZero()
}
