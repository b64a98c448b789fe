package graphview

import (
	"cmp"
	"slices"
)

// The measures of a drawing, in pixels of 100%.
const (
	gapX     = 48 // between columns: edges bend here
	gapY     = 14 // between what stands in one column
	lane     = 8  // the height of a way through a column
	port     = 18 // where edges end, below the upper edge of a node
	maxTries = 8  // sweeps against crossings
	// Ways through columns are reserved for that many edges per node, and for some
	// more. An edge past that goes straight: a graph in which each node
	// comes after all others has no picture anyway.
	lanesPerNode, someLanes = 4, 4096
)

// level is what stands in one node, or at the top, and gets its places.
// Numbers below n are nodes, in their order; the others are ways of edges
// through columns.
type level struct {
	n     int
	w, h  []int32
	edges []pair

	keep  []bool
	layer []int32
	ways  [][]int32 // of each edge the numbers of its ways, nil for none
	order [][]int32 // of each column, from above
	pos   []int32   // of each number in its column
	next  lists     // from column to column
	prev  lists

	x, y          []int32
	right         []int32 // of each column
	width, height int32
}

// arrange places everything.
func (l *level) arrange() {
	rank := make([]int32, l.n)
	for i := range rank {
		rank[i] = int32(i)
	}
	l.keep = forward(l.n, l.edges, rank)
	l.layers()
	l.reserve()
	l.uncross()
	l.place()
}

// layers puts each node one past the last of those that it comes after.
func (l *level) layers() {
	pairs := make([]pair, 0, len(l.edges))
	back := make([]pair, 0, len(l.edges))
	for i, p := range l.edges {
		if l.keep[i] {
			pairs, back = append(pairs, p), append(back, pair{p.to, p.from})
		}
	}
	next := listsOf(l.n, pairs)
	order, _ := sorted(next, listsOf(l.n, back))
	l.layer = make([]int32, l.n)
	for _, i := range order {
		for _, to := range next.of(i) {
			l.layer[to] = max(l.layer[to], l.layer[i]+1)
		}
	}
}

// reserve gives edges that pass columns a way through each of them.
func (l *level) reserve() {
	free := l.n*lanesPerNode + someLanes
	l.ways = make([][]int32, len(l.edges))
	var hops, back []pair
	hop := func(a, b int32) { hops, back = append(hops, pair{a, b}), append(back, pair{b, a}) }
	for i, p := range l.edges {
		span := int(l.layer[p.to] - l.layer[p.from])
		if !l.keep[i] || span-1 > free {
			continue
		}
		free -= span - 1
		at := p.from
		for range span - 1 {
			way := int32(len(l.layer))
			l.layer = append(l.layer, l.layer[at]+1)
			l.w, l.h = append(l.w, 0), append(l.h, lane)
			l.ways[i] = append(l.ways[i], way)
			hop(at, way)
			at = way
		}
		hop(at, p.to)
	}
	l.next, l.prev = listsOf(len(l.layer), hops), listsOf(len(l.layer), back)
}

// uncross orders each column. It begins with the order of the nodes, which
// holds where it crosses nothing, and leaves it only for fewer crossings.
func (l *level) uncross() {
	l.first()
	best := l.crossings()
	for try := 0; try < maxTries && best > 0; try++ {
		before := copied(l.order)
		l.sweep(try%2 == 0)
		if now := l.crossings(); now < best {
			best = now
			continue
		}
		l.order = before
		l.number()
		if try%2 == 1 {
			break
		}
	}
}

// first orders nodes as they come, and ways as the nodes that they lead to.
func (l *level) first() {
	var columns int32
	for _, c := range l.layer {
		columns = max(columns, c+1)
	}
	aim := make([]int32, len(l.layer))
	for i := range l.n {
		aim[i] = int32(i)
	}
	for i, ways := range l.ways {
		for _, way := range ways {
			aim[way] = l.edges[i].to
		}
	}
	l.order = make([][]int32, columns)
	for i, c := range l.layer {
		l.order[c] = append(l.order[c], int32(i))
	}
	for _, column := range l.order {
		slices.SortStableFunc(column, func(a, b int32) int { return cmp.Compare(aim[a], aim[b]) })
	}
	l.pos = make([]int32, len(l.layer))
	l.number()
}

func (l *level) number() {
	for _, column := range l.order {
		for k, i := range column {
			l.pos[i] = int32(k)
		}
	}
}

func copied(order [][]int32) [][]int32 {
	out := make([][]int32, len(order))
	for i := range order {
		out[i] = slices.Clone(order[i])
	}
	return out
}

// sweep orders each column by the mean place of what its entries are tied to in
// the column before, or after.
func (l *level) sweep(down bool) {
	mean := make([]int64, len(l.layer))
	for k := range l.order {
		column, ties := l.order[k], &l.prev
		if !down {
			column, ties = l.order[len(l.order)-1-k], &l.next
		}
		for _, i := range column {
			mean[i] = int64(l.pos[i]) << 16
			if of := ties.of(i); len(of) > 0 {
				sum := int64(0)
				for _, o := range of {
					sum += int64(l.pos[o]) << 16
				}
				mean[i] = sum / int64(len(of))
			}
		}
		slices.SortStableFunc(column, func(a, b int32) int { return cmp.Compare(mean[a], mean[b]) })
		for at, i := range column {
			l.pos[i] = int32(at)
		}
	}
}

// crossings counts the pairs of edges between neighbouring columns that cross:
// with a sum tree over the places of the right column.
func (l *level) crossings() (n int64) {
	for k := range len(l.order) - 1 {
		sums := make([]int64, len(l.order[k+1])+1)
		seen := int64(0)
		var ends []int32
		for _, i := range l.order[k] {
			ends = ends[:0]
			for _, to := range l.next.of(i) {
				ends = append(ends, l.pos[to])
			}
			for _, at := range ends {
				below := int64(0)
				for j := at + 1; j > 0; j -= j & -j {
					below += sums[j]
				}
				n += seen - below
			}
			for _, at := range ends {
				for j := at + 1; int(j) < len(sums); j += j & -j {
					sums[j]++
				}
			}
			seen += int64(len(ends))
		}
	}
	return n
}

// place gives coordinates: each entry as high as what it comes after, or below
// its neighbour. So nothing moves for what is added further down.
func (l *level) place() {
	l.x, l.y = make([]int32, len(l.layer)), make([]int32, len(l.layer))
	l.right = make([]int32, len(l.order))
	var left int32
	for c, column := range l.order {
		var wide, low int32
		for _, i := range column {
			top := low
			if before := l.prev.of(i); len(before) > 0 {
				high := l.end(before[0])
				for _, p := range before[1:] {
					high = min(high, l.end(p))
				}
				top = max(top, high-l.inset(i))
			}
			l.x[i], l.y[i] = left, top
			low = top + l.h[i] + gapY
			wide = max(wide, l.w[i])
			l.height = max(l.height, top+l.h[i])
		}
		l.right[c] = left + wide
		l.width = max(l.width, l.right[c])
		left = l.right[c] + gapX
	}
}

// inset is how far below its upper edge the edges of an entry end.
func (l *level) inset(i int32) int32 {
	if int(i) >= l.n {
		return lane / 2
	}
	return min(port, l.h[i]/2)
}

func (l *level) end(i int32) int32 { return l.y[i] + l.inset(i) }

// way gives the points of an edge: level through columns, bent between them.
func (l *level) way(e int) []int32 {
	from, to := l.edges[e].from, l.edges[e].to
	if !l.keep[e] {
		// Back to something before: below both.
		under := max(l.y[from]+l.h[from], l.y[to]+l.h[to]) + gapY/2
		a, b := l.x[from]+l.w[from]/2, l.x[to]+l.w[to]/2
		return []int32{a, l.y[from] + l.h[from], a, under, b, under, b, l.y[to] + l.h[to]}
	}
	points := []int32{l.x[from] + l.w[from], l.end(from)}
	if side := l.right[l.layer[from]]; side > points[0] {
		points = append(points, side, l.end(from))
	}
	for _, way := range l.ways[e] {
		points = append(points, l.x[way], l.end(way))
		if side := l.right[l.layer[way]]; side > l.x[way] {
			points = append(points, side, l.end(way))
		}
	}
	return append(points, l.x[to], l.end(to))
}
