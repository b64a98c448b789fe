package api

import (
	"log/slog"
	"strings"
	"time"
)

// Bounds of what bodies write.
const (
	// MaxLogText is how many bytes of a line are kept: 16 KiB.
	MaxLogText = 16 << 10
	// MaxLogLines is how many lines of one attempt of a task run are kept. Those
	// over it are counted, and the attempt's last line says how many they were.
	MaxLogLines = 10_000
)

// LogLine is one line that a body wrote.
type LogLine struct {
	// Line is its number within the run: 1, 2, … in the order in which the lines
	// became durable.
	Line    int64     `json:"line"`
	TaskRun string    `json:"task_run"`
	Task    string    `json:"task"`
	Attempt int       `json:"attempt"`
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Text    string    `json:"text"`
}

// LogFilter chooses lines of one run, in order.
type LogFilter struct {
	Run     string // a run's id; there is no other way to choose
	TaskRun string // a task run's id; "" for all of the run
	// Level is the lowest that is chosen, as in slog.LevelWarn; nil for all.
	Level    slog.Leveler
	Since    time.Time // written at or after
	Until    time.Time // written before
	Contains string    // in the text; upper and lower case differ
	From     int64     // number of the first line to look at; 0 for the first
	Limit    int       // 0: no limit
}

// Chooses reports whether the filter chooses a line. Limit is not looked at, nor
// is Run.
func (f *LogFilter) Chooses(l *LogLine) bool {
	switch {
	case f.TaskRun != "" && f.TaskRun != l.TaskRun,
		l.Line < f.From,
		!f.Since.IsZero() && l.Time.Before(f.Since),
		!f.Until.IsZero() && !l.Time.Before(f.Until),
		f.Contains != "" && !strings.Contains(l.Text, f.Contains):
		return false
	}
	if f.Level == nil {
		return true
	}
	var level slog.Level
	return level.UnmarshalText([]byte(l.Level)) == nil && level >= f.Level.Level()
}
