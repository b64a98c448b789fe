package api

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// WaitingKind is the kind of thing that a task run or a run waits for.
type WaitingKind string

// What a task run can wait for, and which fields of [Waiting] say more.
const (
	WaitsForWorker      WaitingKind = "worker"       // all bodies that may run at a time do, or higher priorities go first
	WaitsForQueue       WaitingKind = "queue"        // nobody serves its Queue; with Task: nobody who knows that
	WaitsForQueueResume WaitingKind = "queue_paused" // its Queue is paused
	WaitsForSlots       WaitingKind = "slots"        // of tags: Slots
	WaitsForResume      WaitingKind = "paused"       // its run is paused
	WaitsForBackoff     WaitingKind = "backoff"      // Until, for the next Attempt
	WaitsForTime        WaitingKind = "scheduled"    // Until, for the first attempt
	WaitsForAnswer      WaitingKind = "answer"       // from outside; Until, if it has a time-out
	WaitsForTaskID      WaitingKind = "task_id"      // TaskRun has the turn under its TaskID
	WaitsForCache       WaitingKind = "cache"        // TaskRun runs under the same cache key, Key; Place
	WaitsForLimit       WaitingKind = "limit"        // its body waits for the global limits named Key; Place
	WaitsForOthers      WaitingKind = "dependencies" // Count calls, of the flow that it is, or that it is given the results of: TaskRuns; 0: what comes before it
	WaitsForCancel      WaitingKind = "cancelling"   // its body was told to end and has not returned
	WaitsForStore       WaitingKind = "store"        // what became of it is being stored
	WaitsForParallelism WaitingKind = "parallelism"  // children of a group: Limit, Taken
	WaitsForRoom        WaitingKind = "room"         // children of groups, while 1,024 others of their run stand aside
	WaitsForTaskRuns    WaitingKind = "task_runs"    // of a run: Running, Counts
)

// Waiting says what something waits for that has not ended. Fields that do not
// belong to the Kind are zero. So is Kind if a body runs.
type Waiting struct {
	Kind    WaitingKind   `json:"kind,omitempty"`
	Queue   string        `json:"queue,omitempty"`
	Task    string        `json:"task,omitempty"` // that only workers elsewhere know
	Slots   []WaitingSlot `json:"slots,omitempty"`
	TaskRun string        `json:"task_run,omitempty"` // who has what it waits for
	// TaskRuns names the first ten of several: those that a call of a flow waits
	// for. A pipeline that the flow called is counted, and has no name.
	TaskRuns []string `json:"task_runs,omitempty"`
	TaskID   string   `json:"task_id,omitempty"`
	Key      string   `json:"key,omitempty"`
	Place    int      `json:"place,omitempty"` // in the line, from 1; 0: not known
	// Limit is that of a group's MaxParallelism, and Taken how many of its children
	// have begun and not ended: of a run, summed over the groups that hold back
	// children for it.
	Limit   int       `json:"limit,omitempty"`
	Taken   int       `json:"taken,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	Attempt int       `json:"attempt,omitempty"` // the one to come
	Count   int       `json:"count,omitempty"`
	// Running counts a run's bodies that run. Counts counts its other task runs,
	// and the children of its groups that have not begun, by what they wait for.
	Running int                 `json:"running,omitempty"`
	Counts  map[WaitingKind]int `json:"counts,omitempty"`
	// Of is how many task runs, calls that wait for others, and groups a run has in
	// progress, if they are too many to look at them all: then Running and Counts are
	// those of Seen of them. Both are 0 if all were looked at.
	Seen int `json:"seen,omitempty"`
	Of   int `json:"of,omitempty"`
}

// WaitingSlot is a tag of which a task run has no slot yet.
type WaitingSlot struct {
	Tag   string `json:"tag"`
	Limit int    `json:"limit"`
	Taken int    `json:"taken"`
	// Holders names the first ten that have a slot.
	Holders []string `json:"holders,omitempty"`
	Place   int      `json:"place"` // in the line for the tag, from 1
	// Waiting is how long that line is, MedianHold how long a slot is held, see
	// [Limit]; 0: not known.
	Waiting    int      `json:"waiting,omitempty"`
	MedianHold Duration `json:"median_hold,omitzero"`
}

// About is how long it may take until its turn, if slots go on to be held as they were;
// 0: nobody can tell.
func (s *WaitingSlot) About() time.Duration {
	if s.Place == 0 || s.Limit == 0 {
		return 0
	}
	rounds := (s.Place + s.Limit - 1) / s.Limit
	return time.Duration(s.MedianHold) * time.Duration(rounds)
}

// line tells the place in the line, and how long that may take.
func (s *WaitingSlot) line() string {
	text := inLine(s.Place)
	if s.Place > 0 && s.Waiting >= s.Place {
		text += fmt.Sprintf(" of %d", s.Waiting)
	}
	if about := s.About(); about > 0 {
		text += fmt.Sprintf(", about %s at a median hold of %s", rough(about), rough(time.Duration(s.MedianHold)))
	}
	return text
}

// rough leaves out of a duration what an estimate can't know.
func rough(d time.Duration) time.Duration {
	for _, grain := range []time.Duration{time.Minute, time.Second, 100 * time.Millisecond, time.Millisecond} {
		if d >= 10*grain {
			return d.Round(grain)
		}
	}
	return d.Round(time.Microsecond)
}

// String gives one line for people, as in "waits for a slot of tag db (10 of 10
// taken), place 3".
func (w Waiting) String() string {
	switch w.Kind {
	case "":
		return "does not wait"
	case WaitsForWorker:
		return "waits for a worker"
	case WaitsForQueue:
		if w.Task != "" {
			return fmt.Sprintf("waits for a worker that knows task %q and serves queue %q: there is none", w.Task, w.Queue)
		}
		return fmt.Sprintf("waits for a worker of queue %q: nobody serves it", w.Queue)
	case WaitsForQueueResume:
		return fmt.Sprintf("waits for queue %q to be resumed", w.Queue)
	case WaitsForSlots:
		return w.slots()
	case WaitsForResume:
		return "waits for its run to be resumed"
	case WaitsForBackoff:
		return fmt.Sprintf("waits until %s for attempt %d", w.Until.Format(time.RFC3339), w.Attempt)
	case WaitsForTime:
		return "waits until " + w.Until.Format(time.RFC3339)
	case WaitsForAnswer:
		if w.Until.IsZero() {
			return "waits for an answer from outside"
		}
		return "waits for an answer from outside, until " + w.Until.Format(time.RFC3339)
	case WaitsForTaskID:
		return fmt.Sprintf("waits for %s, which has task id %q", w.TaskRun, w.TaskID)
	case WaitsForCache:
		return fmt.Sprintf("waits for %s, which runs under the same cache key", w.TaskRun) + inLine(w.Place)
	case WaitsForLimit:
		return "its body waits for limit " + w.Key + inLine(w.Place)
	case WaitsForOthers:
		return w.others()
	case WaitsForCancel:
		return "waits for its body to return, which was told to end"
	case WaitsForStore:
		return "waits for the store"
	case WaitsForParallelism:
		return "waits for other children of its group to end" + w.inProgress()
	case WaitsForRoom:
		return "waits for room: too many task runs of its run stand aside"
	case WaitsForTaskRuns:
		return w.summary()
	}
	return "waits for " + string(w.Kind)
}

func inLine(place int) string {
	if place == 0 {
		return ""
	}
	return fmt.Sprintf(", place %d", place)
}

func (w Waiting) others() string {
	if w.Count == 0 {
		return "waits for what comes before it"
	}
	text := fmt.Sprintf("waits for %d calls", w.Count)
	if w.Count == 1 {
		text = "waits for 1 call"
	}
	if len(w.TaskRuns) == 0 {
		return text
	}
	text += ": " + strings.Join(w.TaskRuns, ", ")
	if more := w.Count - len(w.TaskRuns); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// inProgress tells of the limit of a group.
func (w Waiting) inProgress() string {
	if w.Limit == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d in progress)", w.Taken, w.Limit)
}

func (w Waiting) slots() string {
	var parts []string
	for _, s := range w.Slots {
		parts = append(parts, fmt.Sprintf("a slot of tag %s (%d of %d taken)%s", s.Tag, s.Taken, s.Limit, s.line()))
	}
	return "waits for " + strings.Join(parts, " and ")
}

// summary tells of a run, what most wait for first.
func (w Waiting) summary() string {
	parts := []string{fmt.Sprintf("%d running", w.Running)}
	kinds := make([]WaitingKind, 0, len(w.Counts))
	for kind := range w.Counts {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b WaitingKind) int {
		if by := w.Counts[b] - w.Counts[a]; by != 0 {
			return by
		}
		return strings.Compare(string(a), string(b))
	})
	for _, kind := range kinds {
		part := fmt.Sprintf("%d waiting for %s", w.Counts[kind], kind)
		if kind == WaitsForParallelism {
			part += w.inProgress()
		}
		parts = append(parts, part)
	}
	text := "waits for its task runs: " + strings.Join(parts, ", ")
	if w.Of > 0 {
		text += fmt.Sprintf(", among %d of %d that are in progress", w.Seen, w.Of)
	}
	return text
}
