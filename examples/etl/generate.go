package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// customers is how many there are; each belongs to a region.
const customers = 500

var regions = []string{"north", "east", "south", "west", "centre"}

// regionOf is what the look-up finds: a customer's region.
func regionOf(customer int) string { return regions[customer*7%len(regions)] }

// generate writes the files, and gives the report that must come out.
func generate(s settings) (paths []string, want report, err error) {
	if s.files < 1 || s.rows < s.files {
		return nil, nil, fmt.Errorf("%d rows in %d files: want at least one row in each", s.rows, s.files)
	}
	want = report{}
	rng := rand.New(rand.NewPCG(s.seed, 0))
	for i := range s.files {
		rows := (i+1)*s.rows/s.files - i*s.rows/s.files
		path := filepath.Join(s.dir, fmt.Sprintf("sales-%02d.csv", i))
		if err := write(path, i, rows, rng, want); err != nil {
			return nil, nil, err
		}
		paths = append(paths, path)
	}
	return paths, want, nil
}

func write(path string, file, rows int, rng *rand.Rand, want report) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	line := make([]byte, 0, 64)
	for row := range rows {
		customer, cents := rng.IntN(customers), 1+rng.IntN(100_000)
		want.add(regionOf(customer), total{Rows: 1, Cents: int64(cents)})
		line = strconv.AppendInt(line[:0], int64(file)<<32|int64(row), 10)
		line = append(line, ",c"...)
		line = strconv.AppendInt(line, int64(customer), 10)
		line = append(line, ',')
		line = strconv.AppendInt(line, int64(cents), 10)
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Close()
}
