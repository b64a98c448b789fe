package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/runneltest"
)

func TestCountWords(t *testing.T) {
	for text, want := range map[string]map[string]int{
		"":                          {},
		"12 34":                     {},
		"word":                      {"word": 1},
		"a A\tb_c9d":                {"a": 2, "b": 1, "c": 1, "d": 1},
		"Größe":                     {"gr": 1, "e": 1},
		"func main() { main(); }\n": {"func": 1, "main": 2},
	} {
		got, words := countWords([]byte(text)), 0
		for _, n := range want {
			words += n
		}
		if got.Files != 1 || got.Words != words || !maps.Equal(got.Count, want) {
			t.Errorf("%q: %+v, want %v", text, got, want)
		}
	}
}

// TestWordcount counts two folders with 30 files each.
func TestWordcount(t *testing.T) {
	dir := t.TempDir()
	for i := range 60 {
		folder := filepath.Join(dir, fmt.Sprint(i%2))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(i, ".go")), []byte("package p // The end"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "README"), []byte("not counted"), 0o600); err != nil {
		t.Fatal(err)
	}
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		got := runneltest.Value(t, eng, wordcount(dir, 4))
		if want := map[string]int{"package": 60, "p": 60, "the": 60, "end": 60}; got.Files != 60 || got.Words != 240 || !maps.Equal(got.Count, want) {
			t.Errorf("got %+v", got)
		}
	}, runnel.Register(list, count, add))
}

// TestDemo runs the program twice on a file: the second time it finds the run.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte("package x"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options{dir: dir, db: filepath.Join(dir, "words.db"), ledger: filepath.Join(dir, "ledger"), parallelism: 1, again: true}
	for range 2 {
		if err := demo(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		o.dir = filepath.Join(dir, "none") // not read again
	}
}
