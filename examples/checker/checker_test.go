package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// A run of three tasks: one was fine, one failed once, one was interrupted.
const (
	run    = "01020304-0506-0708-090a-0b0c0d0e0f10"
	tables = `
		CREATE TABLE run (id INTEGER PRIMARY KEY, uid BLOB, state INTEGER, base INTEGER);
		CREATE TABLE task_name (id INTEGER PRIMARY KEY, name TEXT);
		CREATE TABLE task (id INTEGER PRIMARY KEY, run INTEGER, name INTEGER, state INTEGER, attempt INTEGER, cell BLOB);
		CREATE TABLE block (run INTEGER, first INTEGER, count INTEGER, seq INTEGER);
		INSERT INTO run VALUES (1, x'0102030405060708090a0b0c0d0e0f10', 6, 100);
		INSERT INTO task_name VALUES (1, 'read'), (2, 'sum');
		INSERT INTO block VALUES (1, 200, 2, 16);
		INSERT INTO task VALUES (100, 1, 1, 6, 1, x'aa'), (200, 1, 1, 6, 2, x'bb'), (201, 1, 2, 6, 1, x'cc');`
	ledger = `open 1
start 7 RUN/0 read 1
start 7 RUN/16 read 1
end 7 RUN/16 read 1 error
end 7 RUN/0 read 1 ok
start 7 RUN/16 read 2
start 7 RUN/17 sum 1
end 7 RUN/17 sum 1 ok
open 2
committed RUN/0 read 1 6 3825313147
committed RUN/16 read 1 2 5
start 8 RUN/16 read 2
start 8 RUN/17 sum 1
end 8 RUN/16 read 2 ok
end 8 RUN/17 sum 1 ok
`
)

// files makes a ledger and a database, and gives their paths.
func files(t *testing.T, ledger, changes string) (db, path string) {
	t.Helper()
	dir := t.TempDir()
	db, path = filepath.Join(dir, "db"), filepath.Join(dir, "ledger")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(ledger, "RUN", run)), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn(db, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, tables+changes, nil); err != nil {
		t.Fatal(err)
	}
	return db, path
}

func TestKeptPromises(t *testing.T) {
	db, path := files(t, ledger, "")
	if err := command("check", db, path); err != nil {
		t.Error(err)
	}
}

func TestCounts(t *testing.T) {
	v := newVerdict()
	if err := v.read(strings.NewReader(ledger)); err != nil {
		t.Fatal(err)
	}
	if v.openings != 2 || v.bodies != 4 || v.twice != 2 {
		t.Errorf("%d openings, %d bodies, %d twice, want 2, 4, 2", v.openings, v.bodies, v.twice)
	}
}

// TestBrokenPromises doctors the ledger, or the database, one lie at a time.
func TestBrokenPromises(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new string // in the ledger
		sql      string // in the database
		want     string
	}{
		{"runs after its committed end", "start 8 RUN/16 read 2\n", "start 8 RUN/0 read 1\nend 8 RUN/0 read 1 ok\nstart 8 RUN/16 read 2\n", "", "its end was committed"},
		{"runs twice in a process", "start 8 RUN/17 sum 1\n", "start 8 RUN/17 sum 1\nstart 8 RUN/17 sum 1\n", "", "twice in one process"},
		{"ends twice", "end 8 RUN/17 sum 1 ok\n", "end 8 RUN/17 sum 1 ok\nend 8 RUN/17 sum 1 ok\n", "", "ends twice"},
		{"completed without an end", "end 8 RUN/17 sum 1 ok\n", "", "", "noted no such end"},
		{"completed by a body that failed", "end 8 RUN/17 sum 1 ok\n", "end 8 RUN/17 sum 1 error\n", "", "noted no such end"},
		{"retried without a failure", "end 7 RUN/16 read 1 error\n", "", "", "has not failed"},
		{"an attempt left out", "start 8 RUN/16 read 2\n", "start 8 RUN/16 read 3\n", "", "has not failed"},
		{"one id for two tasks", "start 8 RUN/17 sum 1\n", "start 8 RUN/17 read 1\n", "", `of "sum" and of "read"`},
		{"the database knows another task", "", "", "UPDATE task SET name = 1 WHERE id = 201", `of "sum" and of "read"`},
		{"two processes at once", "end 8 RUN/17 sum 1 ok\n", "end 9 RUN/17 sum 1 ok\n", "", "beside process"},
		{"an opening that nobody noted", "open 1\n", "", "", "before the first opening"},
		{"a committed end is lost", "", "", "DELETE FROM task WHERE id = 100", "is gone"},
		{"a second end", "", "", "UPDATE task SET cell = x'ab' WHERE id = 100", "a second end"},
		{"a committed failure is taken back", "committed RUN/16 read 1 2 5", "committed RUN/16 read 1 7 5", "", "a second end"},
		{"a body without a task run", "start 8 RUN/17 sum 1\n", "start 8 RUN/17 sum 1\nstart 8 RUN/9 sum 1\n", "", "no such task run"},
		{"a task run without a body", "", "", "INSERT INTO task VALUES (101, 1, 1, 6, 1, x'')", "noted no such end"},
		{"a task run that has not ended", "", "", "UPDATE task SET state = 3 WHERE id = 201", "in state 3 in the end"},
		{"a run that has not ended", "", "", "UPDATE run SET state = 3", "not COMPLETED"},
		{"a run that failed", "", "", "UPDATE run SET state = 7", "not COMPLETED"},
		{"keys given out twice", "", "", "INSERT INTO block VALUES (1, 201, 16, 32)", "overlap"},
		{"numbers given out twice", "", "", "INSERT INTO block VALUES (1, 300, 16, 17)", "overlap"},
		{"a key of nobody", "", "", "INSERT INTO task VALUES (150, 1, 1, 6, 1, x'')", "no run, name or block"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.old != "" && !strings.Contains(ledger, c.old) {
				t.Fatalf("the ledger has no %q", c.old)
			}
			db, path := files(t, strings.Replace(ledger, c.old, c.new, 1), c.sql)
			end, err := readDatabase(db)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer text.Close()
			v := newVerdict()
			if err := v.read(text); err != nil {
				t.Fatal(err)
			}
			if v.conclude(end); !strings.Contains(strings.Join(v.broken, "\n"), c.want) {
				t.Errorf("broken: %q, want one with %q", v.broken, c.want)
			}
			if err := command("check", db, path); err == nil {
				t.Error("the checker is content")
			}
		})
	}
}

// Processes together: a body runs again when one of them has died, or by one that
// was late.
func TestTogether(t *testing.T) {
	const begin = "together\nstart 7 RUN/0 read 1\n"
	for _, c := range []struct{ name, ledger, want string }{
		{"two processes", begin + "start 8 RUN/16 read 1\nend 8 RUN/16 read 1 ok\nend 7 RUN/0 read 1 ok\n", ""},
		{"again after one has died", begin + "gone 9\nstart 8 RUN/0 read 1\nend 7 RUN/0 read 1 ok\nend 8 RUN/0 read 1 ok\n", ""},
		{"again though none has died", begin + "start 8 RUN/0 read 1\n", "none has died"},
		{"late, of what was committed", begin + "end 7 RUN/0 read 1 ok\nopen 1\ncommitted RUN/0 read 1 6 5\nlate 8\nstart 8 RUN/0 read 1\n", ""},
		{"not late, of what was committed", begin + "end 7 RUN/0 read 1 ok\nopen 1\ncommitted RUN/0 read 1 6 5\ngone 8\nstart 9 RUN/0 read 1\n", "its end was committed"},
		{"committed without an end", begin + "open 1\ncommitted RUN/0 read 1 6 5\n", "noted no such end"},
		{"a committed end is lost", begin + "end 7 RUN/0 read 1 ok\nopen 1\ncommitted RUN/0 read 1 6 5\nopen 2\nopen 3\n", "is gone"},
		{"more ends than bodies", begin + "end 7 RUN/0 read 1 ok\nend 8 RUN/0 read 1 ok\n", "ends twice"},
	} {
		v := newVerdict()
		if err := v.read(strings.NewReader(strings.ReplaceAll(c.ledger, "RUN", run))); err != nil {
			t.Fatal(c.name, err)
		}
		broken := strings.Join(v.broken, "\n")
		if c.want == "" && broken != "" || !strings.Contains(broken, c.want) {
			t.Errorf("%s: broken: %q, want %q", c.name, broken, c.want)
		}
	}
}

func TestUnreadableLedger(t *testing.T) {
	for _, line := range []string{"begin 1 RUN/0 read 1", "start 1 RUN/0 read", "start 1 RUN/0 read one", "end 1 RUN/0 read 1 fine"} {
		db, path := files(t, "open 1\n"+line+"\n", "")
		if err := command("check", db, path); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v, want an error about line 2", line, err)
		}
	}
}

// TestOpening notes what a database holds, and leaves the database as it is.
func TestOpening(t *testing.T) {
	db, path := files(t, "", "UPDATE task SET state = 2 WHERE id = 200; DELETE FROM task WHERE id = 201")
	before, err := os.Stat(db)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := command("open", db, path); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(string(text), run, "RUN")
	const rows = "committed RUN/0 read 1 6 3825313147\ncommitted RUN/16 read 1 2 2393998729\n"
	if want := "open 1\n" + rows + "open 2\n" + rows; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if after, err := os.Stat(db); err != nil || after.ModTime() != before.ModTime() {
		t.Errorf("the database was touched (%v)", err)
	}
	if err := command("open", db+"-none", path); err != nil {
		t.Errorf("before there is a database: %v", err)
	}
}
