package engine

import (
	"encoding/json/jsontext"
	"strconv"

	"github.com/runnel-dev/runnel/api"
)

// encodeCounts gives the JSON of a run's counters, which every run writes when
// it ends. By hand, since reflecting over a map took a tenth of a short run's
// time.
func encodeCounts(counts map[string]*api.TaskCounts) []byte {
	b := append(make([]byte, 0, 96*len(counts)), '{')
	for name, n := range counts {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, name) // what is not UTF-8 is replaced
		b = append(b, `:{"completed":`...)
		b = strconv.AppendInt(b, n.Completed, 10)
		b = append(b, `,"failed":`...)
		b = strconv.AppendInt(b, n.Failed, 10)
		b = append(b, `,"cancelled":`...)
		b = strconv.AppendInt(b, n.Cancelled, 10)
		b = append(b, `,"retries":`...)
		b = strconv.AppendInt(b, n.Retries, 10)
		b = append(b, '}')
	}
	return append(b, '}')
}
