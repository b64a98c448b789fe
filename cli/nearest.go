package cli

import "github.com/runnel-dev/runnel/internal/filter"

// nearest gives the word that is least unlike what was typed, if one is not too
// unlike.
func nearest(typed string, words []string) string {
	best, at := max(len(typed)/3, 1)+1, ""
	for _, w := range words {
		if d := filter.Distance(typed, w); d < best {
			best, at = d, w
		}
	}
	return at
}
