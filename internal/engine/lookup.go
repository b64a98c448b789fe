package engine

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
)

// Bounds of Lookup.
const (
	lookupShortest = 4  // digits
	lookupMost     = 10 // answers
	lookupLooked   = 10_000
	// lookupSlack is by how much runs may be out of the order of their times: numbers
	// that a process has reserved are used for a second at most, and clocks differ.
	lookupSlack = 2 * time.Second
)

// Lookup gives the ids of runs that begin with some digits, at least 4 of them, with
// or without dashes; the newest 10 if there are more. An id begins with the time at
// which its run was made, and runs are in that order, so the place is found by a few
// reads. From there up to 10,000 runs are looked at: those of digits that stand for
// seconds in which more were made are found only if they are among the newest of
// these. Runs that were made before a clock was set back by more than two seconds
// may not be found; their whole id always finds them.
func (e *Engine) Lookup(ctx context.Context, prefix string) (ids []string, err error) {
	p, err := parsePrefix(prefix)
	if err != nil {
		return nil, err
	}
	if p.digits == 2*len(p.low) {
		row, err := e.store.Run(ctx, numberOf(p.low))
		switch {
		case errors.Is(err, api.ErrNotFound) || err == nil && row.UID != p.low:
			return nil, nil
		case err != nil:
			return nil, err
		}
		return []string{p.low.String()}, nil
	}
	below, err := e.firstAfter(ctx, p.end+lookupSlack.Milliseconds())
	if err != nil {
		return nil, err
	}
	below = min(below, numberOf(p.high)+1)
	lowest := int64(0)
	if p.digits > timeDigits+1 {
		lowest = numberOf(p.low)
	}
	for looked := 0; looked < lookupLooked && below > max(lowest, 1); looked += listPage {
		rows, err := e.store.Runs(ctx, api.RunFilter{}, below, listPage)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if p.matches(rows[i].UID) {
				ids = append(ids, uuid.UUID(rows[i].UID).String())
			}
			if len(ids) == lookupMost || rows[i].Created/1000 < p.begin-lookupSlack.Milliseconds() {
				return ids, nil
			}
			below = rows[i].ID
		}
		if len(rows) < listPage {
			break
		}
	}
	return ids, nil
}

// timeDigits are those of an id that are its time.
const timeDigits = 12

// idPrefix is what an id begins with: the lowest and the highest that does, and in
// between which milliseconds those are.
type idPrefix struct {
	digits     int
	low, high  uuid.UUID
	begin, end int64
}

func (p *idPrefix) matches(uid uuid.UUID) bool {
	return bytes.Compare(uid[:], p.low[:]) >= 0 && bytes.Compare(uid[:], p.high[:]) <= 0
}

func parsePrefix(text string) (p idPrefix, err error) {
	digits := strings.ReplaceAll(text, "-", "")
	p.digits = len(digits)
	if p.digits < lookupShortest || p.digits > 2*len(p.low) {
		return p, api.Errorf(api.ErrInvalid, "", "%q can't be looked for: want %d to %d digits of an id", text, lookupShortest, 2*len(p.low))
	}
	for to, fill := range map[*uuid.UUID]string{&p.low: "0", &p.high: "f"} {
		if _, err := hex.Decode(to[:], []byte(digits+strings.Repeat(fill, 2*len(p.low)-p.digits))); err != nil {
			return p, api.Errorf(api.ErrInvalid, "", "%q can't be looked for: an id is of the digits 0 to 9 and a to f", text)
		}
	}
	p.begin, p.end = millis(p.low), millis(p.high)
	return p, nil
}

// millis is the time in an id.
func millis(uid uuid.UUID) (ms int64) {
	for _, b := range uid[:6] {
		ms = ms<<8 | int64(b)
	}
	return ms
}

// firstAfter gives a run's number such that those before it were made at a time or
// earlier, and those from it on later: as far as they are in the order of their times.
func (e *Engine) firstAfter(ctx context.Context, millis int64) (int64, error) {
	last, err := e.store.LastRun(ctx)
	if err != nil {
		return 0, err
	}
	low, high := int64(1), last+1 // the number is among low … high
	for low < high {
		at := low + (high-low)/2
		rows, err := e.store.Runs(ctx, api.RunFilter{}, at+1, 1) // the next at or below it
		switch {
		case err != nil:
			return 0, err
		case len(rows) == 0 || rows[0].ID < low:
			low = at + 1 // there is none in between
		case rows[0].Created/1000 > millis:
			high = rows[0].ID
		default:
			low = at + 1
		}
	}
	return low, nil
}
