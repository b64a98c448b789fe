package postgres_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/postgres"
)

// spreadBy is the column by whose value a distributed database would say where a
// row of a table is. A statement that names it, by an equality, needs to look in
// one place for each value. docs/scaling.md says what that means.
var spreadBy = map[string]string{
	"run": "id", "gone_run": "id",
	"task": "run", "frame": "run", "block": "run", "log": "run",
	"record": "key", "keyed": "task_id",
	"blob": "id", "blob_chunk": "blob",
	"process": "id", "writer": "process", "letter": "receiver", "duty": "name",
	"counter": "name", "migration": "version",
}

// everywhere are the statements that do not name the column of a table, and may
// not be part of a commit.
var everywhere = []struct{ table, has, why string }{
	{"run", "SELECT greatest(value, (SELECT max(id)", "once, when an engine begins, and where only one process has the store"},
	{"run", "id > $1 AND state", "who looks for live runs: an engine that has its store alone, when it begins"},
	{"run", "id < $1 AND ($2::bigint >> state)", "a list that a person looks at"},
	{"run", "WITH RECURSIVE o AS (", "at most once in a beat of the keeper: runs that nobody has"},
	{"run", "SELECT id, base, created, finished", "removal of what is old, by one process"},
	{"gone_run", "SELECT id, base FROM @.gone_run", "removal of what is old, by one process"},
	{"blob", "SELECT id FROM @.blob WHERE run = $1", "removal of what is old, by one process"},
	{"blob", "SELECT id, coalesce((SELECT max(c.number)", "once, when a process begins: large values that were left"},
	{"record", "SELECT key, value FROM @.record WHERE kind", "a list of a kind; also one look at the cache for each task with a cache key"},
	{"process", "INSERT INTO @.process", "when a process begins: the new row goes to one place, which its number says that it gets there"},
	{"process", "WITH me AS (UPDATE @.process", "a beat, four times in a lease: the table is as long as there are processes"},
	{"duty", "DELETE FROM @.duty d WHERE holder", "when a process ends: the table has a row"},
	{"letter", "DELETE FROM @.letter l WHERE NOT EXISTS", "when a process ends"},
	{"migration", "CREATE TABLE", "once, when there is no schema yet"},
	{"migration", "SELECT coalesce(max(version), 0)", "once, when a process begins"},
}

// excused reports whether a statement may do without the column of a table.
func excused(table, text string) bool {
	for _, x := range everywhere {
		if x.table == table && strings.Contains(text, x.has) {
			return true
		}
	}
	return false
}

// namesKeys holds all that a store has sent to the columns of its tables.
func namesKeys(tb testing.TB, s *postgres.Store) {
	tb.Helper()
	for _, text := range s.Statements() {
		for _, table := range spreadless(text) {
			if !excused(table, text) {
				tb.Errorf("a statement does not say %s of table %s, so a distributed database would look for it everywhere: name it, or give a reason in keys_test.go:\n%s",
					spreadBy[table], table, text)
			}
		}
	}
}

// watched is a store whose commits are looked at.
type watched struct {
	*postgres.Store

	said map[string]bool
}

func (w *watched) Commit(ctx context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	w.Forget()
	closed, err := w.Store.Commit(ctx, batch)
	for _, text := range w.Statements() {
		w.said[text] = true
	}
	return closed, err
}

// commitsNameKeys: what a commit sends looks for no row everywhere, for no reason.
func (w *watched) commitsNameKeys(t *testing.T) {
	t.Helper()
	writes := map[string]bool{}
	for text := range w.said {
		for _, table := range spreadless(text) {
			t.Errorf("a commit looks for rows of %s without its %s:\n%s", table, spreadBy[table], text)
		}
		for _, m := range regexp.MustCompile(`(INSERT INTO|UPDATE|DELETE FROM) @\.(\w+)`).FindAllStringSubmatch(text, -1) {
			writes[m[1]+" "+m[2]] = true
		}
	}
	for _, want := range []string{
		"INSERT INTO run", "UPDATE run", "INSERT INTO task", "UPDATE task", "INSERT INTO frame", "UPDATE frame", "INSERT INTO block",
		"INSERT INTO keyed", "DELETE FROM keyed", "INSERT INTO record", "UPDATE record", "DELETE FROM record", "INSERT INTO log", "UPDATE writer",
	} {
		if !writes[want] {
			t.Errorf("no commit did %s: what was looked at is not all", want)
		}
	}
}

// spreadless gives the tables of a statement for which it does not say where the
// rows are.
func spreadless(text string) (tables []string) {
	tokens := regexp.MustCompile(`'[^']*'|@\.\w+|[\w$.]+|<>|<=|>=|[^\s\w]`).FindAllString(text, -1)
	tables, _ = scope(tokens)
	slices.Sort(tables)
	return slices.Compact(tables)
}

// scope looks at the tokens up to the end of a parenthesis, and at what is in the
// parentheses within. A query in there has its own tables and conditions.
func scope(tokens []string) (without, rest []string) {
	var level []string
	var groups [][]string // what is in the parentheses, in order
	for len(tokens) > 0 && tokens[0] != ")" {
		tok := tokens[0]
		tokens = tokens[1:]
		level = append(level, tok)
		if tok != "(" {
			continue
		}
		inside := tokens
		var more []string
		more, tokens = scope(tokens)
		without = append(without, more...)
		groups = append(groups, inside[:len(inside)-len(tokens)])
		tokens = tokens[min(1, len(tokens)):]
	}
	for part := range split(level, "UNION") {
		n := count(part, "(")
		without = append(without, query(part, groups[:n])...)
		groups = groups[n:]
	}
	return without, tokens
}

// split cuts a list at a word.
func split(list []string, at string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for {
			i := slices.Index(list, at)
			if i < 0 {
				yield(list)
				return
			}
			if !yield(list[:i]) {
				return
			}
			list = list[i+1:]
		}
	}
}

func count(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

var keywords = strings.Fields("WHERE SET ORDER ON JOIN LEFT CROSS USING FOR LIMIT RETURNING SELECT VALUES")

// query gives the tables of one query, without those in parentheses, whose column
// is not said: by the columns of an INSERT, or by an equality that holds for all of
// the rows.
func query(tokens []string, groups [][]string) (without []string) {
	var said []string // sides of equalities, after the first WHERE or ON
	alternatives := slices.Contains(tokens, "OR")
	conditions := false
	for i, tok := range tokens {
		switch {
		case tok == "WHERE", tok == "ON" && tokens[i+1] != "CONFLICT":
			conditions = true
		case tok == "SET":
			conditions = false
		case tok == "=" && conditions && !alternatives && i+1 < len(tokens):
			said = append(said, tokens[i-1], tokens[i+1])
		}
	}
	tables := 0
	for _, tok := range tokens {
		if strings.HasPrefix(tok, "@.") {
			tables++
		}
	}
	open := 0
	for i, tok := range tokens {
		if tok == "(" {
			open++
		}
		table, ours := strings.CutPrefix(tok, "@.")
		if !ours {
			continue
		}
		column, next := spreadBy[table], ""
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		var named bool
		switch {
		case i > 0 && tokens[i-1] == "INTO":
			named = next == "(" && slices.Contains(groups[open], column)
		case next == "" || next == "," || next == "(" || slices.Contains(keywords, next):
			named = slices.Contains(said, table+"."+column) || tables == 1 && slices.Contains(said, column)
		default:
			named = slices.Contains(said, next+"."+column) || tables == 1 && slices.Contains(said, column)
		}
		if !named {
			without = append(without, table)
		}
	}
	return without
}

// TestStatementsWithoutKeys: what does not say where its rows are is found.
func TestStatementsWithoutKeys(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"UPDATE @.task t SET state = v.state FROM unnest($1::bigint[]) AS v(run, id) WHERE t.run = v.run AND t.id = v.id", ""},
		{"UPDATE @.task t SET state = v.state FROM unnest($1::bigint[]) AS v(id) WHERE t.id = v.id", "task"},
		{"UPDATE @.task t SET run = v.run FROM unnest($1::bigint[]) AS v(run, id) WHERE t.id = v.id", "task"},
		{"UPDATE @.task SET state = 1 WHERE run = $1 OR id = $2", "task"},
		{"UPDATE @.task SET state = 1 WHERE (run = $1 OR id = $2)", "task"},
		{"SELECT id FROM @.task WHERE run = $1 AND id >= $2 ORDER BY id LIMIT $3", ""},
		{"SELECT id FROM @.task WHERE run >= $1 ORDER BY id LIMIT $2", "task"},
		{"WITH u AS (UPDATE @.frame SET low = 1 WHERE id = $1 RETURNING 1) SELECT 1 FROM u", "frame"},
		{"INSERT INTO @.block (run, first) SELECT run, first FROM unnest($1::bigint[]) AS v(run, first)", ""},
		{"INSERT INTO @.block (first) VALUES ($1)", "block"},
		{"SELECT 1 FROM @.duty d JOIN @.process h ON h.id = d.holder WHERE d.name = $1", ""},
		{"SELECT 1 FROM @.duty d JOIN @.process h ON h.id = d.holder", "duty"},
		{"SELECT 1 FROM @.run r WHERE r.id = $1 UNION ALL SELECT 1 FROM @.run r", "run"},
		{"INSERT INTO @.log (run, line) SELECT v.run, 1 + (SELECT max(l.line) FROM @.log l) FROM unnest($1) AS v(run)", "log"},
		{"DELETE FROM @.letter l WHERE NOT EXISTS (SELECT 1 FROM @.process p WHERE p.id = l.receiver)", "letter"},
		{"INSERT INTO @.duty (name, holder) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING", ""},
	} {
		if got := strings.Join(spreadless(c.text), " "); got != c.want {
			t.Errorf("%s:\ngot %q, want %q", c.text, got, c.want)
		}
	}
}

// TestKeysHoldTheirColumns: each table has a key that begins with the column by
// which it would be spread, or holds it; a distributed database can see to no other.
// The document says the same column.
func TestKeysHoldTheirColumns(t *testing.T) {
	schema := read(t, "migrations/0001_init.sql")
	doc := read(t, "../../../docs/scaling.md")
	tables := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\)`).FindAllStringSubmatch(schema, -1)
	if len(tables) != len(spreadBy)-1 { // the table migration is made before
		t.Errorf("%d tables in the schema, %d in keys_test.go", len(tables), len(spreadBy)-1)
	}
	for _, m := range tables {
		table, column := m[1], spreadBy[m[1]]
		key := regexp.MustCompile(`(?m)^    (\w+) .*PRIMARY KEY,?$|PRIMARY KEY \((.*)\)`).FindStringSubmatch(m[2])
		if key == nil { // each of its parts has one
			key = regexp.MustCompile(`PARTITION OF ` + table + ` \(PRIMARY KEY \((.*?)\)()\)`).FindStringSubmatch(schema)
		}
		if key == nil || !slices.Contains(strings.Split(key[1]+key[2], ", "), column) {
			t.Errorf("the key of %s does not hold %q", table, column)
		}
		row := regexp.MustCompile("(?m)^\\| `" + table + "` \\| `(\\w+)` \\|").FindStringSubmatch(doc)
		if row == nil || row[1] != column {
			t.Errorf("docs/scaling.md does not say that %s is spread by %q", table, column)
		}
	}
}

// TestExcusesAreNeeded: each is of a statement that there is.
func TestExcusesAreNeeded(t *testing.T) {
	var texts []string
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				texts = append(texts, lit.Value)
			}
			return true
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range everywhere {
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, x.has) }) {
			t.Errorf("no statement has %q any more: %s", x.has, x.why)
		}
	}
}

func read(tb testing.TB, path string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}
