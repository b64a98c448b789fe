package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
	"github.com/runnel-dev/runnel/internal/store/postgres"
)

// The two forms of a DSN are the same store, and its place is shown without a
// password.
func TestDSN(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "s3cret")
	first := open(t, u.String())
	commit(t, first, newRun(1))
	words := fmt.Sprintf("host='%s' user=%s password=s3cret dbname=postgres schema='%s'", u.Query().Get("host"), u.User.Username(), u.Query().Get("schema"))
	second := open(t, words)
	if row, err := second.Run(t.Context(), 1); err != nil || row.ID != 1 {
		t.Errorf("a run of the same schema: %v, %v", row, err)
	}
	if a, b := first.Location(), second.Location(); a != b || strings.Contains(a, "s3cret") || !strings.Contains(a, u.Query().Get("schema")) {
		t.Errorf("locations %s and %s, want one, with the schema and without a password", a, b)
	}
}

// Whatever is wrong with a server, its error says what to do, and no password.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	socket := u.Query().Get("host")
	foreign := pgtest.DSN(t)
	pgtest.Exec(t, "CREATE SCHEMA "+pgtest.Schema(t, foreign))
	pgtest.Exec(t, "CREATE TABLE "+pgtest.Schema(t, foreign)+".t ()")
	newer := pgtest.DSN(t)
	closeStore(t, open(t, newer))
	pgtest.Exec(t, "INSERT INTO "+pgtest.Schema(t, newer)+".migration (version) VALUES (1000)")
	for _, c := range []struct{ name, dsn, want string }{
		{"no server", "postgres://me:s3cret@/x?host=/nowhere", "can't be reached"},
		{"no database", "postgres://runnel:s3cret@/nothing?host=" + socket, "there is no such database"},
		{"no user", "postgres://nobody:s3cret@/postgres?host=" + socket, "check user and password"},
		{"tables of another program", foreign, "tables of another program"},
		{"a newer Runnel", newer, "newer Runnel"},
	} {
		var log bytes.Buffer
		s, err := postgres.Open(t.Context(), c.dsn, postgres.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err == nil {
			closeStore(t, s)
		}
		if !errors.Is(err, api.ErrStore) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if all := fmt.Sprintf("%v %+v %s", err, err, &log); strings.Contains(all, "s3cret") {
			t.Errorf("%s: a password is shown: %s", c.name, all)
		}
	}
}
