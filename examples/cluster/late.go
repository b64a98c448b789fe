package cluster

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel"
)

const lateLine = "answers that came too late: "

// Report is for workers: until ctx ends it prints how many of their answers came too
// late, whenever there are more, so that a kill loses little of that.
func Report(ctx context.Context, eng *runnel.Engine) {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for told := 0; ; {
		if late := eng.Health().Late; late > told {
			told = late
			fmt.Printf("\n%s%d\n", lateLine, late)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// lateOf reads what Report has printed last.
func lateOf(output []byte) (n int, told bool) {
	at := bytes.LastIndex(output, []byte("\n"+lateLine))
	if at < 0 {
		return 0, false
	}
	line, _, whole := bytes.Cut(output[at+1+len(lateLine):], []byte("\n"))
	n, err := strconv.Atoi(string(line))
	return n, whole && err == nil
}
