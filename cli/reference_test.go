package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
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
