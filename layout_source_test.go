package runnel_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// source is one Go file of this module.
type source struct {
	path  string // with slashes, from the root
	pkg   string // its directory, "." for the root
	test  bool
	lines int
	fset  *token.FileSet
	ast   *ast.File
}

// sources reads the files itself, once, so that the go command sees what the tests
// depend on and never answers from its cache after a file has changed.
func sources(t *testing.T) []*source {
	t.Helper()
	files, err := allSources()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var allSources = sync.OnceValues(func() (files []*source, err error) {
	err = filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipped(name)
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		f, err := read(name)
		files = append(files, f)
		return err
	})
	return files, err
})

// skipped gives fs.SkipDir for what the go command skips too: hidden
// directories, test data, and modules of their own.
func skipped(dir string) error {
	base := filepath.Base(dir)
	if dir == "." {
		return nil
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	if err == nil || base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_' {
		return fs.SkipDir
	}
	return nil
}

func read(name string) (*source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	name = filepath.ToSlash(name)
	return &source{
		path: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
		lines: bytes.Count(text, []byte("\n")), fset: fset, ast: file,
	}, nil
}

// example reports whether the file belongs to an example program.
func (f *source) example() bool { return strings.HasPrefix(f.path, "examples/") }

func (f *source) imports() []string {
	list := make([]string, 0, len(f.ast.Imports))
	for _, spec := range f.ast.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		list = append(list, imp)
	}
	return list
}

// nameOf is the name by which the file knows an import, "" if it has none.
func (f *source) nameOf(imp string) string {
	for _, spec := range f.ast.Imports {
		if p, _ := strconv.Unquote(spec.Path.Value); p != imp {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(imp)
	}
	return ""
}

// uses finds the names that the file takes from an imported package, with the
// line of the first use.
func (f *source) uses(imp string) map[string]int {
	pkg, found := f.nameOf(imp), map[string]int{}
	if pkg == "" {
		return found
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg && found[sel.Sel.Name] == 0 {
				found[sel.Sel.Name] = f.fset.Position(sel.Pos()).Line
			}
		}
		return true
	})
	return found
}

// testsNaming gives the tests that mention a name, "" for what stands outside of any,
// and all tests of the file. To declare the name is not to mention it.
func (f *source) testsNaming(name string) (naming, all []string) {
	for _, decl := range f.ast.Decls {
		test := ""
		if fn, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
			test = fn.Name.Name
			all = append(all, test)
		}
		found := false
		ast.Inspect(decl, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == 1 && spec.Names[0].Name == name {
				return false
			}
			x, ok := n.(*ast.Ident)
			found = found || ok && x.Name == name
			return true
		})
		if found {
			naming = append(naming, test)
		}
	}
	return naming, all
}

func (f *source) length(fn *ast.FuncDecl) int {
	return f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
}

// methods counts the methods of a named interface; what it embeds counts as a
// method.
func (f *source) methods(name string) int {
	n := 0
	for _, e := range f.exported() {
		if spec, ok := e.node.(*ast.TypeSpec); ok && e.name == name {
			if i, ok := spec.Type.(*ast.InterfaceType); ok {
				n = i.Methods.NumFields()
			}
		}
	}
	return n
}

// exportedName is an exported function, method, type, constant or variable.
type exportedName struct {
	name       string
	top        bool // not a method
	documented bool
	node       ast.Node
}

func (f *source) exported() []exportedName {
	var list []exportedName
	for _, decl := range f.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			recv := receiver(d)
			if d.Name.IsExported() && (recv == "" || ast.IsExported(recv)) {
				list = append(list, exportedName{strings.TrimPrefix(recv+"."+d.Name.Name, "."), recv == "", d.Doc != nil, d.Type})
			}
		case *ast.GenDecl:
			list = append(list, exportedSpecs(d)...)
		}
	}
	return list
}

func exportedSpecs(d *ast.GenDecl) []exportedName {
	var list []exportedName
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				list = append(list, exportedName{s.Name.Name, true, s.Doc != nil || d.Doc != nil, s})
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() {
					list = append(list, exportedName{name.Name, true, s.Doc != nil || s.Comment != nil || d.Doc != nil, s})
				}
			}
		}
	}
	return list
}

// receiver is the name of the type that a method belongs to, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	x := d.Recv.List[0].Type
	for {
		switch e := x.(type) {
		case *ast.StarExpr:
			x = e.X
		case *ast.IndexExpr:
			x = e.X
		case *ast.IndexListExpr:
			x = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

// qualifiers are the package names in what a reader sees of an exported name:
// not function bodies, values, or unexported fields and methods.
func (e exportedName) qualifiers() []string {
	var list []string
	ast.Inspect(e.node, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Field:
			return len(x.Names) == 0 || x.Names[0].IsExported() || !e.fields(x)
		case *ast.ValueSpec:
			if x.Type == nil {
				return false
			}
		case *ast.FuncLit, *ast.CompositeLit, *ast.CallExpr:
			return false
		case *ast.SelectorExpr:
			if pkg, ok := x.X.(*ast.Ident); ok {
				list = append(list, pkg.Name)
			}
		}
		return true
	})
	return list
}

// fields reports whether field belongs to a struct or an interface rather than
// to a list of parameters.
func (e exportedName) fields(field *ast.Field) bool {
	found := false
	ast.Inspect(e.node, func(n ast.Node) bool {
		var list *ast.FieldList
		switch x := n.(type) {
		case *ast.StructType:
			list = x.Fields
		case *ast.InterfaceType:
			list = x.Methods
		}
		if list != nil {
			for _, f := range list.List {
				found = found || f == field
			}
		}
		return true
	})
	return found
}
