package web

import (
	"strconv"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// spark is one series, or two of the same unit, as small lines beside what is newest.
type spark struct {
	Paths []string
	Now   []string // of each
	Most  string
	Text  string // beside it
	Said  string // in place of it
}

// Size of its drawing.
const (
	sparkWidth  = 90
	sparkHeight = 20
)

// sparkOf draws series of which there are at most so many points; nil if there is nothing
// to draw. As many as there may be fill the width, so that what has been measured for a
// minute is as wide as a minute.
func sparkOf(points int, series ...*httpapi.MetricSeries) *spark {
	one, most := &spark{}, 0.0
	for _, s := range series {
		if len(s.Values) < 2 {
			return nil
		}
		one.Now = append(one.Now, lastOf(s, s.Unit))
		for _, y := range s.Values {
			if y != nil {
				most = max(most, *y)
			}
		}
	}
	one.Most, one.Text = amount(most, series[0].Unit), one.Now[0]
	for _, s := range series {
		one.Paths = append(one.Paths, drawn(s.Values, "", func(i int, y float64) (string, float64) {
			high := 0.0
			if most > 0 {
				high = y / most
			}
			x := sparkWidth - float64(len(s.Values)-1-i)*sparkWidth/float64(points)
			return strconv.FormatFloat(x, 'f', -1, 64), sparkHeight - 1 - high*(sparkHeight-2)
		}))
	}
	return one
}
