package main

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/examples/ledger"
)

var (
	list  = runnel.NewTask1("list", listFiles, started, finished)
	count = runnel.NewTask1("count", countFile, started, finished, runnel.Retries(10))
	add   = runnel.NewTask1("add", addUp, started, finished)
)

// wordcount lists the Go files below a directory, folder by folder; counts each
// file of each folder; adds up each folder, and then the folders.
func wordcount(dir string, parallelism int) runnel.Pipeline[Tally] {
	folder := runnel.Each(count).ContinueWith(add)
	return list.Send(dir).
		ContinueWith(runnel.Each(folder, runnel.MaxParallelism(parallelism))).
		ContinueWith(add)
}

// Tally is how many files there are, how many words, and how often each word.
type Tally struct {
	Files int            `json:"files"`
	Words int            `json:"words"`
	Count map[string]int `json:"count"`
}

// listFiles gives the Go files below a directory: one list for each folder.
func listFiles(_ context.Context, dir string) ([][]string, error) {
	var folders [][]string
	at := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || !entry.Type().IsRegular() {
			return err
		}
		folder := filepath.Dir(path)
		if _, known := at[folder]; !known {
			at[folder] = len(folders)
			folders = append(folders, nil)
		}
		folders[at[folder]] = append(folders[at[folder]], path)
		return nil
	})
	return folders, err
}

// countFile counts the words of one file. One in 500 times it fails, to show
// that it is tried again.
func countFile(ctx context.Context, path string) (Tally, error) {
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return Tally{}, context.Cause(ctx)
	}
	if rand.IntN(500) == 0 {
		return Tally{}, errors.New("the disk hiccuped (not really)")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Tally{}, err
	}
	return countWords(text), nil
}

// slow is what -slow says.
var slow time.Duration

// countWords counts maximal runs of ASCII letters, in lower case.
func countWords(text []byte) Tally {
	tally := Tally{Files: 1, Count: map[string]int{}}
	var word []byte
	for _, c := range append(text, ' ') {
		switch {
		case c >= 'a' && c <= 'z':
			word = append(word, c)
		case c >= 'A' && c <= 'Z':
			word = append(word, c-'A'+'a')
		case len(word) > 0:
			tally.Words++
			tally.Count[string(word)]++
			word = word[:0]
		}
	}
	return tally
}

// addUp makes one tally of many.
func addUp(_ context.Context, tallies []Tally) (Tally, error) {
	sum := Tally{Count: map[string]int{}}
	for _, t := range tallies {
		sum.Files += t.Files
		sum.Words += t.Words
		for word, n := range t.Count {
			sum.Count[word] += n
		}
	}
	return sum, nil
}

// With -ledger, each body is noted: that is how make demo-crash knows which of
// them ran twice.
var (
	book     ledger.Book
	started  = runnel.OnStarted(book.Started)
	finished = runnel.OnFinished(book.Finished)
)
