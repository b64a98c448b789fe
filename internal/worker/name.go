package worker

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// MaxRunName is how many bytes of a task run's name are kept.
const MaxRunName = 200

// name asks the task for the name of its run, if it wants one: once for all
// attempts.
func (b *Body) name() {
	if b.task.RunName == nil || b.job.Named {
		return
	}
	var name string
	err := caught(func() (err error) {
		name, err = b.task.RunName(b)
		return err
	})
	if err == nil && name == "" {
		err = errors.New("the name is empty")
	}
	if err != nil {
		name = ""
		b.swallowed("run name", err)
	}
	b.source.Name(b.job, bounded(name))
}

// bounded cuts a name that is too long, where a character begins.
func bounded(name string) string {
	if len(name) > MaxRunName {
		n := MaxRunName
		for n > 0 && !utf8.RuneStart(name[n]) {
			n--
		}
		name = name[:n]
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}
