package web

import (
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// A look is how a state is shown: never by colour alone. Its word is also the class that
// app.css has a colour for.
type look struct{ Word, Glyph string }

var looks = map[string]look{
	"SCHEDULED":  {"scheduled", "◷"},
	"PENDING":    {"pending", "○"},
	"RUNNING":    {"running", "▶"},
	"PAUSED":     {"paused", "‖"},
	"CANCELLING": {"cancelling", "◐"},
	"COMPLETED":  {"completed", "✓"},
	"FAILED":     {"failed", "✗"},
	"CANCELLED":  {"cancelled", "⊘"},
	"CRASHED":    {"crashed", "☇"},
	"SKIPPED":    {"skipped", "⇥"},
}

// retrying and cached are states of which the engine says more than the name of.
var (
	retrying = look{"retrying", "↻"}
	cached   = look{"cached", "◈"}
)

func lookOf(s api.State) look {
	if l, ok := looks[s.String()]; ok {
		return l
	}
	return look{"unknown", "?"}
}

// named is lookOf for a state that has a name of its own.
func named(s api.State, name string) look {
	switch name {
	case "AwaitingRetry", "Retrying":
		return retrying
	case "Cached":
		return cached
	}
	return lookOf(s)
}

// stateName says what a state's own name adds to its word, "" for nothing.
func stateName(s api.State, name string) string {
	l := named(s, name)
	if name == "" || strings.EqualFold(name, l.Word) || strings.EqualFold(name, s.String()) || l == retrying || l == cached {
		return ""
	}
	return spaced(name)
}

// spaced writes "TimedOut" as "timed out".
func spaced(name string) string {
	var b strings.Builder
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte(' ')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// icon is that of the favicon for a state: a few stand for all.
func icon(state string) string {
	switch state {
	case "running", "retrying", "cancelling":
		return "running"
	case "completed", "cached":
		return "completed"
	case "failed", "crashed":
		return "failed"
	case "paused", "pending", "scheduled", "cancelled", "skipped":
		return "waiting"
	}
	return "runnel"
}

// part is one of a segmented bar.
type part struct {
	look
	N int64
	// X and Width are its place, of a thousand.
	X, Width int64
	URL      string // where those are, "" for nowhere
	Text     string // what it says, if it is not how many there are
}

const (
	barWidth  = 1000
	leastPart = 12 // what is there is seen, however little
)

// bar lays out parts of which some are more than 0.
func bar(parts []part) []part {
	var total, n int64
	for _, p := range parts {
		total += p.N
		if p.N > 0 {
			n++
		}
	}
	if total == 0 {
		return nil
	}
	out := make([]part, 0, n)
	share, before, x := barWidth-leastPart*n, int64(0), int64(0)
	for _, p := range parts {
		if p.N <= 0 {
			continue
		}
		from := before * share / total
		before += p.N
		p.X, p.Width = x, leastPart+before*share/total-from
		x += p.Width
		out = append(out, p)
	}
	return out
}
