package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// reference is docs/cli.md: every command, from the same source as its help.
func reference(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("# The command line\n\nMade by `go test ./cli -run TestReference -update`. The program in `cmd/runnel` has these commands, and so has\n" +
		"every program that calls `cli.Main`, with its own tasks.\n\n")
	root := newRootCmd(&Env{In: strings.NewReader(""), Out: &out, Err: &out})
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.IsAvailableCommand() && !c.IsAdditionalHelpTopicCommand() || c.Name() == "help" {
			return
		}
		var page bytes.Buffer
		if err := doc.GenMarkdownCustom(c, &page, func(name string) string {
			return "#" + strings.ReplaceAll(strings.TrimSuffix(name, ".md"), "_", "-")
		}); err != nil {
			t.Fatal(err)
		}
		text := page.String()
		if c != root { // those flags stand at the beginning
			text = regexp.MustCompile("(?s)### Options inherited from parent commands\n\n```\n.*?```\n\n").ReplaceAllString(text, "")
		}
		out.WriteString(regexp.MustCompile("(?s)### SEE ALSO.*").ReplaceAllString(text, ""))
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return append(bytes.TrimRight(out.Bytes(), "\n"), '\n')
}

func TestReference(t *testing.T) {
	path := filepath.Join("..", "docs", "cli.md")
	want := reference(t)
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/cli.md is not what the commands say: go test ./cli -run TestReference -update")
	}
}

// TestEveryExitCodeIsProduced: what help says of exit codes is what commands end with, each of
// them in a script.
func TestEveryExitCodeIsProduced(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("testdata", "script", "exit_codes.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  (\d+) `).FindAllStringSubmatch(exitCodesText, -1) {
		said[m[1]] = true
	}
	shown := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(?:exits|pty) (\d+) `).FindAllStringSubmatch(string(script), -1) {
		shown[m[1]] = true
	}
	for _, code := range []int{
		exitOK, exitFailure, exitUsage, exitAuth, exitNotFound, exitConflict, exitTimeout, exitUnreachable, exitPartly, exitRunFailed, exitRunStopped, exitInterrupted,
	} {
		if text := strconv.Itoa(code); !said[text] || !shown[text] {
			t.Errorf("exit code %d: in help exit-codes %t, in exit_codes.txtar %t", code, said[text], shown[text])
		}
	}
	if len(said) != len(shown) {
		t.Errorf("help exit-codes has %d codes, exit_codes.txtar %d", len(said), len(shown))
	}
}

// TestWhatChangesSomethingTakesWhy: each of these is in the audit, with the reason.
func TestWhatChangesSomethingTakesWhy(t *testing.T) {
	looks := strings.Fields("ls show read why logs result watch history events diff graph tree params next waiters explain stats start")
	for _, group := range newRootCmd(&Env{}).Commands() {
		if !slices.Contains(strings.Fields("run task schedule operation concurrency-limit global-limit cache queue worker token"), group.Name()) {
			continue
		}
		for _, c := range group.Commands() {
			if has := c.Flags().Lookup("reason") != nil; has == slices.Contains(looks, c.Name()) {
				t.Errorf("%s has --reason: %t", c.CommandPath(), has)
			}
		}
	}
}

// TestEveryCommandIsHelpful holds for what help shows of each command.
func TestEveryCommandIsHelpful(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short text is %q, want some words without a full stop", c.CommandPath(), c.Short)
		}
		if !c.Runnable() && !c.IsAdditionalHelpTopicCommand() {
			t.Errorf("%s does nothing", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCmd(&Env{}))
}
