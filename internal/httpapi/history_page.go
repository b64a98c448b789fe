package httpapi

import (
	"cmp"
	queue "container/heap"
	"encoding/json"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// fromBeginning is the cursor of what nothing comes before.
const fromBeginning = "0"

// excerpt keeps a part of what happened, however much it is given and in which order: of
// what is within its bounds the newest, or the oldest.
type excerpt struct {
	since         time.Time
	after, before *Happened // nil: no bound
	most          int

	kept    furthestFirst
	dropped bool
}

// excerpt is what a request is to be answered with.
func (q *HistoryQuery) excerpt() (*excerpt, error) {
	e := &excerpt{since: q.Since, most: q.Limit, kept: furthestFirst{oldest: q.After != ""}}
	var err error
	if q.After != fromBeginning {
		if e.after, err = happenedAt("query.after", q.After); err != nil {
			return nil, err
		}
	}
	e.before, err = happenedAt("query.before", q.Before)
	return e, err
}

// happenedAt reads a cursor: what happened last before what it stands for.
func happenedAt(where, text string) (*Happened, error) {
	id, err := (&ListQuery{Cursor: text}).after()
	if err == nil && id == "" {
		return nil, nil //nolint:nilnil // no bound
	}
	h := &Happened{}
	if err != nil || json.Unmarshal([]byte(id), h) != nil {
		return nil, api.Errorf(api.ErrInvalid, where, "this is no place in a history: give before or after of an answer")
	}
	return h, nil
}

// place is the cursor of something that happened: all that [byTime] looks at.
func (h *Happened) place() string {
	text, err := json.Marshal(Happened{Time: h.Time, TaskRun: h.TaskRun, Attempt: h.Attempt, State: h.State, Of: h.Of, Action: h.Action})
	if err != nil {
		return "" // a state that is none
	}
	return *cursor(string(text))
}

func (e *excerpt) add(h Happened) {
	switch {
	case h.Time.Before(e.since):
	case e.after != nil && byTime(h, *e.after) <= 0:
	case e.before != nil && byTime(h, *e.before) >= 0:
	default:
		queue.Push(&e.kept, h)
		if len(e.kept.list) > e.most {
			queue.Pop(&e.kept)
			e.dropped = true
		}
	}
}

// ordered gives what was kept. The cursor after is that of the request, for the case that
// nothing has happened since.
func (e *excerpt) ordered(after string) RunHistory {
	h := RunHistory{Items: append([]Happened{}, e.kept.list...), More: e.dropped, After: cmp.Or(after, fromBeginning)}
	slices.SortFunc(h.Items, byTime)
	if n := len(h.Items); n > 0 {
		h.Before, h.After = h.Items[0].place(), h.Items[n-1].place()
	}
	return h
}

func byTime(a, b Happened) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.TaskRun, b.TaskRun), cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.State, b.State),
		cmp.Compare(a.Of, b.Of), cmp.Compare(a.Action, b.Action))
}

// furthestFirst is a heap: first is what an excerpt does without when it is full.
type furthestFirst struct {
	list   []Happened
	oldest bool // the oldest are kept
}

func (f *furthestFirst) Len() int { return len(f.list) }
func (f *furthestFirst) Less(i, j int) bool {
	order := byTime(f.list[i], f.list[j])
	return order < 0 && !f.oldest || order > 0 && f.oldest
}
func (f *furthestFirst) Swap(i, j int) { f.list[i], f.list[j] = f.list[j], f.list[i] }
func (f *furthestFirst) Push(x any)    { f.list = append(f.list, x.(Happened)) } //nolint:forcetypeassert // by add only
func (f *furthestFirst) Pop() any {
	last := f.list[len(f.list)-1]
	f.list = f.list[:len(f.list)-1]
	return last
}
