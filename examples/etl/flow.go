package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/runnel-dev/runnel"
)

// batchOf is how many files are loaded at a time.
const batchOf = 8

// extracted is a file with its sums by customer: rows don't travel.
type extracted struct {
	Path      string        `json:"path"`
	Customers map[int]total `json:"customers"`
}

// readers counts those that use the disk at a time, for the test.
var readers, mostReaders atomic.Int64

var (
	// A file is read once: its name, length and time are the key. The first
	// attempt at every eighth file fails, as disks do.
	extract = runnel.NewTask1("extract", func(ctx context.Context, path string) (extracted, error) {
		now := readers.Add(1)
		defer readers.Add(-1)
		for most := mostReaders.Load(); now > most; most = mostReaders.Load() {
			mostReaders.CompareAndSwap(most, now)
		}
		if runnel.TaskRun(ctx).Attempt == 1 && strings.HasSuffix(path, "0.csv") {
			return extracted{}, errors.New("the disk is busy")
		}
		return sums(ctx, path)
	}, runnel.Tags("db"), runnel.Retries(3), runnel.CacheKey(fileKey))

	// All files ask for the same customers.
	region = runnel.NewTask1("region", func(_ context.Context, customer int) (string, error) {
		return regionOf(customer), nil
	}, runnel.CacheKey(runnel.InputHash))

	load = runnel.NewTask2("load", func(ctx context.Context, path, db string) (int64, error) {
		return loadFile(ctx, path, db)
	}, runnel.Tags("db"), runnel.Retries(2))

	etl = runnel.NewFlow2("etl", func(f runnel.Flow, paths []string, db string) (report, error) {
		files, err := extract.Map(f, paths).Results(f)
		if err != nil {
			return nil, err
		}
		if err := createTable(f, db); err != nil {
			return nil, err
		}
		if _, err := runnel.NewBatch(load, batchOf, runnel.FailureRate(4, 0.5)).Map(f, paths, runnel.Unmapped(db)); err != nil {
			return nil, err
		}
		return summed(f, files)
	})

	tasks = []runnel.AnyTask{extract, region, load, create, etl}
)

// fileKey tells a file that was read from one that has changed since.
func fileKey(c runnel.CallFacts) (string, error) {
	path, err := c.Arg[string](0)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("extract %s %d %d", path, info.Size(), info.ModTime().UnixNano()), nil
}

// sums adds up a file by customer.
func sums(ctx context.Context, path string) (extracted, error) {
	out := extracted{Path: path, Customers: map[int]total{}}
	err := eachRow(ctx, path, func(r row) error {
		sum := out.Customers[r.customer]
		sum.Rows++
		sum.Cents += r.cents
		out.Customers[r.customer] = sum
		return nil
	})
	return out, err
}

// row is one line of a file.
type row struct {
	id       int64
	customer int
	cents    int64
}

// eachRow reads a file line by line.
func eachRow(ctx context.Context, path string, do func(row) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if n%10_000 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r, err := parse(lines.Text())
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if err := do(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

func parse(line string) (r row, err error) {
	id, rest, _ := strings.Cut(line, ",c")
	customer, cents, _ := strings.Cut(rest, ",")
	var errs [3]error
	r.id, errs[0] = strconv.ParseInt(id, 10, 64)
	r.customer, errs[1] = strconv.Atoi(customer)
	r.cents, errs[2] = strconv.ParseInt(cents, 10, 64)
	return r, errors.Join(errs[:]...)
}

// summed looks up the region of each customer, and adds the files up.
func summed(f runnel.Flow, files []extracted) (report, error) {
	all := map[int]total{}
	for _, file := range files {
		for customer, t := range file.Customers {
			sum := all[customer]
			sum.Rows += t.Rows
			sum.Cents += t.Cents
			all[customer] = sum
		}
	}
	var asked []int // in order: a flow does the same each time
	for customer := range customers {
		if _, some := all[customer]; some {
			asked = append(asked, customer)
		}
	}
	names, err := region.Map(f, asked).Results(f)
	if err != nil {
		return nil, err
	}
	out := report{}
	for i, customer := range asked {
		out.add(names[i], all[customer])
	}
	return out, nil
}
