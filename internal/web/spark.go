package web

import (
	"strconv"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// spark is a series as a small line beside its newest value.
type spark struct {
	Path      string
	Now, Most string
}

// Size of its drawing.
const (
	sparkWidth  = 90
	sparkHeight = 20
)

// sparkOf draws one; nil if there is nothing to draw. As many points as there may be fill
// the width, so that what has been measured for a minute is as wide as a minute.
func sparkOf(s *httpapi.MetricSeries) *spark {
	if len(s.Values) < 2 {
		return nil
	}
	most := 0.0
	for _, y := range s.Values {
		if y != nil {
			most = max(most, *y)
		}
	}
	one := &spark{Now: lastOf(s, s.Unit), Most: amount(most, s.Unit)}
	one.Path = drawn(s.Values, "", func(i int, y float64) (string, float64) {
		high := 0.0
		if most > 0 {
			high = y / most
		}
		return strconv.Itoa(sparkWidth - (len(s.Values) - 1 - i)), sparkHeight - 1 - high*(sparkHeight-2)
	})
	return one
}
