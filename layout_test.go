package runnel_test

import (
	"cmp"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file holds the rules of the repository's layout and one test for each;
// layout_source_test.go reads the sources. To change a rule, change a table
// here and say why in docs/decisions.

const module = "github.com/runnel-dev/runnel"

// mayImport says which packages of this module each of its packages may
// import. Tests are free.
var mayImport = map[string]string{
	".":                        "api internal/engine internal/flow internal/httpapi internal/lifecycle internal/pipeline internal/place internal/remote internal/spans internal/store internal/store/memory internal/store/postgres internal/store/sqlite internal/vital internal/web internal/worker",
	"api":                      "",
	"cli":                      ". api docs internal/builtin internal/demo internal/filter internal/httpapi internal/store/report internal/upkeep",
	"cmd/runnel":               "cli",
	"docs":                     "",
	"internal/builtin":         ". api",
	"internal/cluster":         "api internal/store",
	"internal/demo":            ". api",
	"internal/engine":          "api internal/cluster internal/flight internal/lifecycle internal/limit internal/pipeline internal/schedule internal/slot internal/store internal/vital internal/worker",
	"internal/flight":          "internal/roll",
	"internal/flow":            "api",
	"internal/graphview":       "api",
	"internal/filter":          "api",
	"internal/httpapi":         "api internal/filter internal/graphview internal/remote internal/vital",
	"internal/lifecycle":       "api",
	"internal/limit":           "internal/roll",
	"internal/manual":          "docs",
	"internal/pipeline":        "api internal/lifecycle",
	"internal/place":           "api",
	"internal/remote":          "api internal/vital internal/worker",
	"internal/roll":            "",
	"internal/schedule":        "api",
	"internal/sim":             "api internal/engine internal/flow internal/lifecycle internal/pipeline internal/store internal/store/memory internal/worker",
	"internal/slot":            "internal/roll",
	"internal/spans":           "api",
	"internal/store":           "api internal/pipeline",
	"internal/store/dump":      "api",
	"internal/store/memory":    "api internal/pipeline internal/store",
	"internal/store/pgtest":    "",
	"internal/store/postgres":  "api internal/pipeline internal/store internal/store/dump internal/store/report internal/store/staging",
	"internal/store/report":    "",
	"internal/store/sqlite":    "api internal/pipeline internal/store internal/store/dump internal/store/report internal/store/staging",
	"internal/store/staging":   "api internal/store",
	"internal/store/storetest": "api internal/pipeline internal/store",
	"internal/upkeep":          "api internal/place internal/store/dump internal/store/postgres internal/store/report internal/store/sqlite",
	"internal/web":             "api internal/filter internal/httpapi internal/manual",
	"internal/vital":           "",
	"internal/worker":          "api",
	"runneltest":               ". api",
}

// exampleImports is what every package below examples/ may import of ours.
const exampleImports = ". api cli examples/cluster examples/kill examples/ledger examples/torture/work"

// The pure packages decide and do nothing else: this is all of the standard
// library that they may use, and what of it they may not call.
const (
	pure       = "internal/flight internal/graphview internal/lifecycle internal/limit internal/pipeline internal/roll internal/schedule internal/slot"
	pureStd    = "cmp errors fmt iter maps math/bits slices strconv strings time"
	impureTime = "Now Since Until Sleep After AfterFunc Tick NewTimer NewTicker LoadLocation Local"
)

// pureOther is what else they may import: it reads cron expressions.
const pureOther = "github.com/netresearch/go-cron"

// The bars.
const (
	maxLines        = 400 // of a production file
	maxTestLines    = 800
	maxFuncLines    = 80
	maxStoreMethods = 20
)

// maxExported is how many names a public package may export at its top level.
var maxExported = map[string]int{".": 185, "api": 120, "cli": 5}

// bags are names that could hold anything.
const bags = "base common core helper helpers misc util utils"

func TestImports(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		allowed, known := mayImport[f.pkg]
		if f.example() {
			allowed, known = exampleImports, true
		}
		if !known {
			t.Errorf("%s: package %s is not in the layout", f.path, f.pkg)
			continue
		}
		for _, imp := range f.imports() {
			if ours, ok := within(imp); ok && !contains(allowed, ours) {
				t.Errorf("%s: %s may not import %s", f.path, f.pkg, imp)
			}
		}
	}
}

func TestPurePackages(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || !contains(pure, f.pkg) {
			continue
		}
		for _, imp := range f.imports() {
			if _, ours := within(imp); !ours && !contains(pureStd+" "+pureOther, imp) {
				t.Errorf("%s: %s is pure and may not import %s", f.path, f.pkg, imp)
			}
		}
		for name, line := range f.uses("time") {
			if contains(impureTime, name) {
				t.Errorf("%s:%d: %s is pure and may not use time.%s", f.path, line, f.pkg, name)
			}
		}
	}
}

func TestNoSleep(t *testing.T) {
	for _, f := range sources(t) {
		if f.example() && !f.test {
			continue
		}
		if line, found := f.uses("time")["Sleep"]; found {
			t.Errorf("%s:%d: time.Sleep; use a signal, a timer with a context, or fake time", f.path, line)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, f := range sources(t) {
		limit := maxLines
		if f.test {
			limit = maxTestLines
		}
		if f.lines > limit {
			t.Errorf("%s has %d lines, %d are allowed; split it", f.path, f.lines, limit)
		}
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.length(fn) > maxFuncLines {
				t.Errorf("%s: %s has %d lines, %d are allowed", f.path, fn.Name.Name, f.length(fn), maxFuncLines)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, f := range sources(t) {
		for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSuffix(f.path, ".go"), "_test"), "/") {
			if contains(bags, part) {
				t.Errorf("%s: %q could hold anything; say what it holds", f.path, part)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range sources(t) {
		if !f.test {
			documented[f.pkg] = documented[f.pkg] || f.ast.Doc != nil
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

func TestExportedNames(t *testing.T) {
	count := map[string]int{}
	for _, f := range sources(t) {
		if _, public := maxExported[f.pkg]; !public || f.test {
			continue
		}
		for _, e := range f.exported() {
			if e.top {
				count[f.pkg]++
			}
			if !e.documented {
				t.Errorf("%s: %s has no comment", f.path, e.name)
			}
		}
	}
	for pkg, n := range count {
		if n > maxExported[pkg] {
			t.Errorf("package %s exports %d names, %d are allowed", pkg, n, maxExported[pkg])
		}
	}
}

// TestNoInternalTypes holds for what a reader of the documentation sees:
// nothing exported names a type that the reader can't look up.
func TestNoInternalTypes(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || strings.HasPrefix(f.pkg, "internal/") || f.example() {
			continue
		}
		internal := map[string]bool{}
		for _, imp := range f.imports() {
			if ours, ok := within(imp); ok && strings.HasPrefix(ours, "internal/") {
				internal[f.nameOf(imp)] = true
			}
		}
		for _, e := range f.exported() {
			for _, name := range e.qualifiers() {
				if internal[name] {
					t.Errorf("%s: exported %s names a type of the internal package %s", f.path, e.name, name)
				}
			}
		}
	}
}

func TestStoreInterface(t *testing.T) {
	for _, f := range sources(t) {
		if f.pkg != "internal/store" || f.test {
			continue
		}
		if n := f.methods("Store"); n > maxStoreMethods {
			t.Errorf("%s: the store has %d methods, %d are allowed", f.path, n, maxStoreMethods)
		}
	}
}

// TestDependencies wants a word on each direct dependency.
func TestDependencies(t *testing.T) {
	doc, err := os.ReadFile(filepath.FromSlash("docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		m := regexp.MustCompile(`^(?:require)?\s+(\S+\.\S+/\S+) v\S+$`).FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m != nil && !strings.Contains(string(doc), m[1]) {
			t.Errorf("docs/dependencies.md says nothing of %s", m[1])
		}
	}
}

// TestCutTestsRunInFull: what is cut under the race detector, the Makefile runs in full
// without it. A file that cuts a flag's default has a test that is run in full.
func TestCutTestsRunInFull(t *testing.T) {
	text, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	variable := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + ` +:= (.+)$`).FindStringSubmatch(string(text))
		if m == nil {
			t.Fatalf("the Makefile does not set %s", name)
		}
		return m[1]
	}
	full, packages, cuts := regexp.MustCompile(variable("FULL")), variable("FULLPKGS"), 0
	for _, f := range sources(t) {
		cutting, all := f.testsNaming("raceDetector")
		if len(cutting) == 0 {
			continue
		}
		cuts++
		if !contains(packages, strings.TrimSuffix("./"+f.pkg, "/.")) {
			t.Errorf("%s: FULLPKGS of the Makefile lacks %s", f.path, f.pkg)
		}
		for _, name := range cutting {
			if name != "" && !full.MatchString(name) || name == "" && !slices.ContainsFunc(all, full.MatchString) {
				t.Errorf("%s: FULL of the Makefile finds no %s", f.path, cmp.Or(name, "test of this file"))
			}
		}
	}
	if cuts < 5 {
		t.Errorf("%d files with tests that are cut", cuts)
	}
}

// within reports whether imp is a package of this module, and which.
func within(imp string) (string, bool) {
	rest, ours := strings.CutPrefix(imp+"/", module+"/")
	return filepath.ToSlash(filepath.Clean(rest)), ours
}

func contains(words, word string) bool { return slices.Contains(strings.Fields(words), word) }
