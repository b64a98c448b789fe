package engine

import (
	"encoding/json/jsontext"
	"strconv"

	"github.com/runnel-dev/runnel/api"
)

// counts are a run's counters by task name. Most runs have few names, many just
// one, so they are a list; what is past the first few is found by a map.
type counts struct {
	list  []taskCount
	last  int // in list: most come of the name that the one before had
	one   [1]taskCount
	place map[string]int // in list, once it is long
}

type taskCount struct {
	name string
	api.TaskCounts
}

const fewNames = 8

// of gives the counters of a task, to be changed at once: they move when
// another name comes.
func (c *counts) of(name string) *api.TaskCounts {
	if c.last < len(c.list) && c.list[c.last].name == name {
		return &c.list[c.last].TaskCounts
	}
	if i, ok := c.find(name); ok {
		c.last = i
		return &c.list[i].TaskCounts
	}
	if c.list == nil {
		c.list = c.one[:0]
	}
	c.list = append(c.list, taskCount{name: name})
	c.last = len(c.list) - 1
	switch {
	case c.place != nil:
		c.place[name] = c.last
	case len(c.list) > fewNames:
		c.place = make(map[string]int, len(c.list))
		for i := range c.list {
			c.place[c.list[i].name] = i
		}
	}
	return &c.list[c.last].TaskCounts
}

func (c *counts) find(name string) (int, bool) {
	if c.place != nil {
		i, ok := c.place[name]
		return i, ok
	}
	for i := range c.list {
		if c.list[i].name == name {
			return i, true
		}
	}
	return 0, false
}

// byName gives a copy.
func (c *counts) byName() map[string]api.TaskCounts {
	all := make(map[string]api.TaskCounts, len(c.list))
	for i := range c.list {
		all[c.list[i].name] = c.list[i].TaskCounts
	}
	return all
}

// encode gives the JSON of what has ended, nil for none. Every run writes it when it
// ends, when nothing is open any more, and encoding/json took a tenth of a short run's time for it.
func (c *counts) encode() []byte {
	if len(c.list) == 0 {
		return nil
	}
	b := append(make([]byte, 0, 96*len(c.list)), '{')
	for i := range c.list {
		n := &c.list[i]
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, n.name) // what is not UTF-8 is replaced
		b = append(b, `:{"completed":`...)
		b = strconv.AppendInt(b, n.Completed, 10)
		b = append(b, `,"failed":`...)
		b = strconv.AppendInt(b, n.Failed, 10)
		b = append(b, `,"cancelled":`...)
		b = strconv.AppendInt(b, n.Cancelled, 10)
		b = append(b, `,"skipped":`...)
		b = strconv.AppendInt(b, n.Skipped, 10)
		b = append(b, `,"retries":`...)
		b = strconv.AppendInt(b, n.Retries, 10)
		b = append(b, '}')
	}
	return append(b, '}')
}
