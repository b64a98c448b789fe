package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"runnel": main}) }

// Ids differ from run to run.
var id = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// TestREADME runs the README's commands in an empty directory: they give what stands
// below them.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```console\n")
	block, _, _ = strings.Cut(block, "```")
	if !found {
		t.Fatal("README.md has no block of commands")
	}
	dir := t.TempDir()
	for part := range strings.SplitSeq(strings.TrimPrefix(block, "$ "), "\n$ ") {
		command, want, _ := strings.Cut(part, "\n")
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
			t.Fatal(err)
		}
		got := id.ReplaceAllString(strings.TrimSpace(string(out)), "ID")
		if want = id.ReplaceAllString(strings.TrimSpace(want), "ID"); got != want {
			t.Errorf("$ %s\ngives\n%s\nwant\n%s", command, got, want)
		}
	}
}
