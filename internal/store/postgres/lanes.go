package postgres

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel/internal/store"
)

// The tables run and task, which grow the fastest, are each kept in so many parts as
// there are lanes: a run's rows are in the part that the remainder of its number says.
// A session gives its runs numbers of one lane. So sessions that insert at the same
// moment do it in different parts, and none of them waits while another one adds pages
// to a table's file, of which one at a time does.
//
// Statements that know their runs name the part, "@.run#" in their texts, which costs
// less than having the server find it. The others look through all parts.

// choose takes the lane for the runs to come: sessions that live have different ones,
// as far as there are.
func (s *Store) choose(live []seen) {
	at := slices.IndexFunc(live, func(m seen) bool { return m.Session == s.Session() })
	s.lane.Store(int64(max(at, 0) % store.Lanes))
}

// laneOf gives the lane of a run.
func laneOf(run int64) int64 { return run & (store.Lanes - 1) }

// laned is a statement in one lane.
type laned struct {
	text string
	lane int64
}

// sqlOf is sql for a statement about a run, or several of its lane.
func (s *Store) sqlOf(run int64, text string) string {
	key := laned{text, laneOf(run)}
	if full, ok := s.texts.Load(key); ok {
		return full.(string) //nolint:forcetypeassert // nothing else is in it
	}
	full := strings.ReplaceAll(strings.ReplaceAll(text, "@.", s.tables), "#", "_"+strconv.FormatInt(key.lane, 10))
	s.texts.Store(key, full)
	return full
}

// sqlFor is sqlOf for a statement of which the first parameter is the run, if it is
// about one.
func (s *Store) sqlFor(text string, args ...any) string {
	if !strings.Contains(text, "#") {
		return s.sql(text)
	}
	return s.sqlOf(args[0].(int64), text) //nolint:forcetypeassert // as is said above
}

// byLane calls f with the rows of each lane, in the order that they have.
func byLane[R any](rows []R, run func(*R) int64, f func(of int64, rows []R)) {
	if len(rows) == 0 {
		return
	}
	first := run(&rows[0])
	if !slices.ContainsFunc(rows, func(r R) bool { return laneOf(run(&r)) != laneOf(first) }) {
		f(first, rows)
		return
	}
	var lanes [store.Lanes][]R
	for i := range rows {
		lane := &lanes[laneOf(run(&rows[i]))]
		*lane = append(*lane, rows[i])
	}
	for lane, part := range lanes {
		if len(part) > 0 {
			f(int64(lane), part)
		}
	}
}
