package flight

// Empty reports whether nobody runs or waits.
func (t *Table) Empty() bool { return len(t.lines) == 0 && len(t.owned) == 0 }
