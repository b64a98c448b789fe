package cli

// nearest gives the word that is least unlike what was typed, if one is not too
// unlike.
func nearest(typed string, words []string) string {
	best, at := max(len(typed)/3, 1)+1, ""
	for _, w := range words {
		if d := distance(typed, w); d < best {
			best, at = d, w
		}
	}
	return at
}

// distance is how many characters have to be put in, taken away or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			same := before
			if a[i] != b[j] {
				same++
			}
			before = row[j+1]
			row[j+1] = min(same, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
