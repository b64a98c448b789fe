package vital

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// process gives the time of processors that this process has taken, and its resident
// memory.
func process() (spent time.Duration, resident int64) {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil {
		spent = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	text, err := os.ReadFile("/proc/self/statm")
	if fields := bytes.Fields(text); err == nil && len(fields) > 1 {
		pages, _ := strconv.ParseInt(string(fields[1]), 10, 64) // 0: not known
		resident = pages * int64(os.Getpagesize())
	}
	return spent, resident
}
