package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCrash(t *testing.T) {
	dir := t.TempDir()
	for i := range 400 {
		folder := filepath.Join(dir, fmt.Sprint(i%20))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat(fmt.Sprintf("word%c ", 'a'+i%26), 50_000)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(i, ".go")), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := crash(t.Context(), dir, 2, 1); err != nil {
		t.Error(err)
	}
}
