package main

import (
	"fmt"
	"sync"
)

// counter counts how often bodies ran.
type counter struct {
	mu sync.Mutex
	n  map[string]int
}

var bodies counter

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n = map[string]int{}
}

// ran counts a body, and gives how many there were until now.
func (c *counter) ran(task string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[task]++
	return c.n[task]
}

// of says how often a body ran.
func (c *counter) of(task string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[task] == 1 {
		return "body ran 1 time"
	}
	return fmt.Sprintf("body ran %d times", c.n[task])
}
