package runnel_test

import (
	"bufio"
	"bytes"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each case of the specification, by its number in testdata/cases.txt, is a test
// of that name or an entry in docs/impossible-cases.md; a snippet in
// testdata/nocompile is named by the case that it belongs to.

var (
	caseNumber  = regexp.MustCompile(`^[A-Z][0-9]{2}$`)
	caseEntry   = regexp.MustCompile(`(?m)^\| ([A-Z][0-9]{2}) \|`)
	caseSnippet = regexp.MustCompile(`^([A-Z][0-9]{2})_`)
)

func TestEveryCaseHasATest(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "cases.txt"))
	do(t, err)
	numbers := strings.Fields(string(data))
	if len(numbers) != 191 || !slices.ContainsFunc(numbers, caseNumber.MatchString) {
		t.Errorf("%d cases", len(numbers))
	}
	tests, entries := namedTests(t), impossible(t)
	for _, number := range numbers {
		if !tests[number] && !entries[number] {
			t.Errorf("case %s has neither a test nor an entry in docs/impossible-cases.md", number)
		}
	}
	for number := range entries {
		if !slices.Contains(numbers, number) {
			t.Errorf("docs/impossible-cases.md: there is no case %s", number)
		}
	}
	for number := range tests {
		if !slices.Contains(numbers, number) {
			t.Errorf("a test is named %s: there is no such case", number)
		}
	}
}

func impossible(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("docs", "impossible-cases.md"))
	do(t, err)
	entries := map[string]bool{}
	for _, m := range caseEntry.FindAllStringSubmatch(string(data), -1) {
		entries[m[1]] = true
	}
	return entries
}

// namedTests gives the numbers that name subtests: t.Run("C01", …) and
// bubbled(t, "W01", …).
func namedTests(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	do(t, err)
	tests := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		do(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at := 0
			switch fn := call.Fun.(type) {
			case *ast.SelectorExpr:
				ok = fn.Sel.Name == "Run"
			case *ast.Ident:
				ok, at = fn.Name == "bubbled", 1
			default:
				ok = false
			}
			if !ok || len(call.Args) <= at {
				return true
			}
			if name, ok := call.Args[at].(*ast.BasicLit); ok {
				if text, err := strconv.Unquote(name.Value); err == nil && caseNumber.MatchString(text) {
					tests[text] = true
				}
			}
			return true
		})
	}
	return tests
}

// What the compiler must refuse, and the words it must do it with.
func TestDoesNotCompile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "nocompile", "*.go"))
	do(t, err)
	if len(files) < 15 {
		t.Fatalf("%d snippets", len(files))
	}
	exports := exportData(t)
	fset := token.NewFileSet()
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
	for _, name := range files {
		if !caseSnippet.MatchString(filepath.Base(name)) {
			t.Errorf("%s is not named by a case", name)
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := strings.TrimPrefix(file.Comments[0].List[0].Text, "// want: ")
		_, err = conf.Check("nocompile", fset, []*ast.File{file}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	// The snippets fail for what they are about: without that one, they compile.
	file, err := parser.ParseFile(fset, "good.go", `package good

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

var _ = val.Send("x").ContinueWith(val).FinallyDo(val.Send("fin"))
`, 0)
	do(t, err)
	_, err = conf.Check("good", fset, []*ast.File{file}, nil)
	do(t, err)
}

// exportData gives the compiled form of the packages that the root leans on.
func exportData(t *testing.T) map[string]string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as programs are built, and so compiled already
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	exports := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		path, file, _ := strings.Cut(lines.Text(), "\t")
		exports[path] = file
	}
	return exports
}
