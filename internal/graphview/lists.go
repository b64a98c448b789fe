package graphview

// pair is an edge between two numbers.
type pair struct{ from, to int32 }

// lists has a list of numbers for each number, all in one array: a graph of
// 100,000 nodes then is a handful of allocations.
type lists struct{ start, all []int32 }

// listsOf gathers pairs by where they come from, in their order.
func listsOf(n int, pairs []pair) lists {
	l := lists{start: make([]int32, n+1), all: make([]int32, len(pairs))}
	for _, p := range pairs {
		l.start[p.from+1]++
	}
	for i := range n {
		l.start[i+1] += l.start[i]
	}
	fill := append([]int32(nil), l.start[:n]...)
	for _, p := range pairs {
		l.all[fill[p.from]] = p.to
		fill[p.from]++
	}
	return l
}

func (l *lists) of(i int32) []int32 { return l.all[l.start[i]:l.start[i+1]] }

func (l *lists) size() int { return len(l.start) - 1 }

// sorted gives an order in which each number stands after those before it, and
// -1; or as much of it as there is, and a number that is left.
func sorted(next, prev lists) (order []int32, rest int32) {
	n := next.size()
	open := make([]int32, n)
	order = make([]int32, 0, n)
	for i := range n {
		open[i] = int32(len(prev.of(int32(i))))
		if open[i] == 0 {
			order = append(order, int32(i))
		}
	}
	for k := 0; k < len(order); k++ {
		for _, to := range next.of(order[k]) {
			if open[to]--; open[to] == 0 {
				order = append(order, to)
			}
		}
	}
	if len(order) == n {
		return order, -1
	}
	for i := range n {
		if open[i] > 0 {
			return order, int32(i)
		}
	}
	return order, -1
}

// forward reports of each pair whether it may count for layers: those that are
// left out are the ones of a cycle that go from a higher rank to a lower one.
// Without them there is no cycle, since within one the others only climb.
func forward(n int, pairs []pair, rank []int32) []bool {
	keep := make([]bool, len(pairs))
	back := make([]pair, len(pairs))
	for i, p := range pairs {
		keep[i], back[i] = true, pair{p.to, p.from}
	}
	next := listsOf(n, pairs)
	if _, rest := sorted(next, listsOf(n, back)); rest < 0 {
		return keep
	}
	of := knots(next)
	for i, p := range pairs {
		keep[i] = of[p.from] != of[p.to] || rank[p.from] < rank[p.to]
	}
	return keep
}

// knots gives for each number that of its strongly connected component, by
// Tarjan's algorithm with a stack of its own: chains may be long.
func knots(next lists) []int32 {
	n := next.size()
	of, low, num := make([]int32, n), make([]int32, n), make([]int32, n)
	pos := make([]int32, n)
	var stack, path []int32
	var count, found int32
	for i := range of {
		of[i] = -1
	}
	for root := range n {
		if num[root] != 0 {
			continue
		}
		path = append(path[:0], int32(root))
		for len(path) > 0 {
			v := path[len(path)-1]
			if num[v] == 0 {
				count++
				num[v], low[v] = count, count
				stack = append(stack, v)
			}
			if out := next.of(v); int(pos[v]) < len(out) {
				w := out[pos[v]]
				pos[v]++
				if num[w] == 0 {
					path = append(path, w)
				} else if of[w] < 0 {
					low[v] = min(low[v], num[w])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				up := path[len(path)-1]
				low[up] = min(low[up], low[v])
			}
			if low[v] != num[v] {
				continue
			}
			for of[v] < 0 {
				of[stack[len(stack)-1]] = found
				stack = stack[:len(stack)-1]
			}
			found++
		}
	}
	return of
}
