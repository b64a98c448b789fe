package web

import (
	"bytes"
	"path"
	"strings"
	"testing"
)

func TestBare(t *testing.T) {
	for script, want := range map[string]string{
		"a;\n":                                 "a;\n",
		"// what\na; // why\n":                 "\na; // why\n",
		"  // what\n":                          "\n",
		"/** What. @param {x} y */\na;\n":      "\na;\n",
		"/** What.\n * more\n */\na;\n":        "\n\n\na;\n",
		"/** @type {X} */ let a = 1;\n":        "let a = 1;\n",
		"/** What.\n * @type {X} */ let a;\nb": "\n let a;\nb",
		`const a = "// no";` + "\n":            `const a = "// no";` + "\n",
		"/** one */\n/** two */\na\n":          "\n\na\n",
	} {
		if got := string(bare([]byte(script))); got != want {
			t.Errorf("bare(%q) = %q, want %q", script, got, want)
		}
	}
}

// TestScriptsAreSmall holds what all pages together may ask a browser to fetch.
func TestScriptsAreSmall(t *testing.T) {
	size := map[string]int{}
	for name, f := range loadAssets().files {
		n := len(f.text)
		if f.small != nil {
			n = len(f.small)
		}
		size[path.Ext(name)] += n
		source, err := staticFiles.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(source, []byte("\n")); lines > 400 {
			t.Errorf("%s has %d lines, 400 are allowed; split it", name, lines)
		}
		if path.Ext(name) == ".js" && strings.Count(string(source), "\n") != strings.Count(string(f.text), "\n") {
			t.Errorf("%s: lines are not where they were", name)
		}
	}
	t.Logf("gzipped: scripts %d bytes, style sheets %d", size[".js"], size[".css"])
	if size[".js"] > 60_000 || size[".css"] > 12_000 {
		t.Errorf("gzipped: scripts %d bytes, style sheets %d; 60,000 and 12,000 are allowed", size[".js"], size[".css"])
	}
}
