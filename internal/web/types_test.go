package web

import (
	"bytes"
	"encoding"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/graphview"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

var updateTypes = flag.Bool("update", false, "write js/api.d.ts anew")

// TestTypes: what the islands are told of the API's answers is what those are. -update
// writes it.
func TestTypes(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("// What the islands read, written from the Go types by: go test ./internal/web -run TestTypes -update\n")
	done := map[reflect.Type]bool{}
	for _, v := range []any{graphview.Drawing{}, httpapi.Timeline{}, api.LogLine{}} {
		declare(&b, reflect.TypeOf(v), done)
	}
	const path = "js/api.d.ts"
	if *updateTypes {
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is not what the Go types are: run go test ./internal/web -run TestTypes -update", path)
	}
}

// declare writes a struct as an interface, and those that it needs.
func declare(b *bytes.Buffer, s reflect.Type, done map[reflect.Type]bool) {
	if done[s] {
		return
	}
	done[s] = true
	var needs []reflect.Type
	fmt.Fprintf(b, "\nexport interface %s {\n", s.Name())
	for f := range s.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		optional := ""
		if strings.Contains(options, "omit") {
			optional = "?"
		}
		of, need := inScript(f.Type)
		if need != nil {
			needs = append(needs, need)
		}
		fmt.Fprintf(b, "  %s%s: %s;\n", name, optional, of)
	}
	b.WriteString("}\n")
	for _, n := range needs {
		declare(b, n, done)
	}
}

var asText = reflect.TypeFor[encoding.TextMarshaler]()

// inScript gives a type's name in TypeScript, and the struct that it names.
func inScript(of reflect.Type) (name string, needs reflect.Type) {
	switch {
	case of == reflect.TypeFor[time.Time](), of.Implements(asText):
		return "string", nil
	case of.Kind() == reflect.Slice:
		name, needs = inScript(of.Elem())
		return name + "[]", needs
	case of.Kind() == reflect.Struct:
		return of.Name(), of
	case of.Kind() == reflect.String:
		return "string", nil
	case of.Kind() == reflect.Bool:
		return "boolean", nil
	case reflect.Zero(of).CanInt(), reflect.Zero(of).CanFloat():
		return "number", nil
	}
	panic("no word for " + of.String())
}
