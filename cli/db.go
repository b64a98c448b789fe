package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/store/report"
	"github.com/runnel-dev/runnel/internal/upkeep"
)

func newDBCmd(env *Env) *cobra.Command {
	return group("db", "Look after a database", nil,
		newDBStatusCmd(env), newMigrateCmd(env), newVacuumCmd(env), newExportCmd(env), newImportCmd(env))
}

// database gives the one that is meant, which is opened without an engine.
func (env *Env) database() (*upkeep.Database, error) {
	at, err := env.place()
	if err != nil {
		return nil, err
	}
	if at.Server != "" {
		return nil, usagef("a server looks after its database by itself: give --db DSN (%s)", at.from)
	}
	d, err := upkeep.Of(at.DB)
	return d, hinted(err, "say which database: --db sqlite:FILE or --db postgres://USER@HOST/DATABASE")
}

func newDBStatusCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say what is in a database, and whether its schema is that of this version", Args: none,
		Long: `Say what is in a database, and whether its schema is that of this version. It reads,
beside a server that has the database open, and changes nothing. Rows of a table are
counted up to a million; beyond it says so, or gives PostgreSQL's own estimate.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := env.database()
			if err != nil {
				return err
			}
			r, err := d.Look(cmd.Context())
			if err != nil {
				return err
			}
			raw, err := json.Marshal(r)
			if err != nil {
				return err
			}
			return env.printer.one(raw, r.Location, func(f *facts) { env.showDatabase(f, &r) })
		},
	}
}

func (env *Env) showDatabase(f *facts, r *report.Database) {
	p := &env.printer
	f.line("database", r.Location)
	f.line("server", r.Server)
	f.line("schema", strconv.Itoa(r.Schema.Version)+" of "+strconv.Itoa(r.Schema.Newest))
	if len(r.Schema.Pending) > 0 {
		f.painted("pending", strings.Join(r.Schema.Pending, ", ")+"; see: runnel db migrate", "33")
	}
	f.line("size", p.bytes(r.Bytes))
	if r.Free > 0 {
		f.line("free", p.bytes(r.Free)+" of it")
	}
	f.line("journal", r.Journal)
	if r.Log > 0 {
		f.line("log", p.bytes(r.Log))
	}
	if r.Schema.Version > 0 {
		f.line("live runs", p.count(r.Live))
	}
	f.line("oldest run", p.dated(r.Oldest))
	f.line("newest run", p.dated(r.Newest))
	var users [][]string
	for _, u := range r.Users {
		row := []string{u.Name, p.moment(u.Since), ""}
		if u.Silent {
			row[2] = "silent"
		}
		users = append(users, row)
	}
	f.part("open in", nil, users)
	var rows [][]string
	for _, t := range r.Tables {
		row := []string{t.Name, p.count(t.Rows)}
		if t.Bytes > 0 {
			row = append(row, p.bytes(t.Bytes))
		}
		rows = append(rows, row)
	}
	f.part("rows", nil, rows)
}

func (p *printer) dated(r *report.Run) string {
	if r == nil {
		return ""
	}
	return r.ID + "  " + p.moment(r.Created)
}

func (p *printer) count(c report.Count) string {
	switch {
	case c.More:
		return "more than " + p.number(c.N)
	case c.About:
		return "about " + p.number(c.N)
	}
	return p.number(c.N)
}

// migrated is what runnel db migrate tells.
type migrated struct {
	report.Schema

	Applied []string `json:"applied"`
	Dry     bool     `json:"dry_run,omitempty"`
}

func newMigrateCmd(env *Env) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use: "migrate", Short: "Bring a database to the schema of this version; there is no way back", Args: none,
		Long: `Bring a database to the schema of this version, and make it if it is not there.
Every program does that when it opens one; this does it and no more, before new
programs are started. There is no way back. --dry-run says what would be applied,
and changes nothing.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := env.database()
			if err != nil {
				return err
			}
			was, err := d.Migrate(cmd.Context(), dry)
			if err != nil {
				return err
			}
			m := migrated{Schema: was, Applied: []string{}, Dry: dry}
			if !dry {
				m.Applied, m.Pending, m.Version = was.Pending, []string{}, was.Newest
			}
			if !env.printer.people() {
				raw, err := json.Marshal(m)
				if err != nil {
					return err
				}
				return env.printer.one(raw, strconv.Itoa(m.Version), nil)
			}
			for _, name := range m.Pending {
				env.say("would apply %s", name)
			}
			for _, name := range m.Applied {
				env.say("applied %s", name)
			}
			if len(m.Pending) > 0 {
				env.say("nothing was changed: the database has schema version %d of %d", m.Version, m.Newest)
				return nil
			}
			env.say("the database has the schema of this version")
			return nil
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be applied, and change nothing")
	return c
}

func newVacuumCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "vacuum", Short: "Free the room of what was removed from a database", Args: none,
		Long: `Free the room of what was removed from a database, and say how many bytes it has
before and after.

A SQLite file is written anew, and gets shorter. No server may have it open, and it
takes as much room again meanwhile. In PostgreSQL it is VACUUM (ANALYZE) of each
table, beside whatever goes on: the room is free for what comes, and the files
mostly keep their size. It needs the owner of the tables.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := env.database()
			if err != nil {
				return err
			}
			before, after, err := d.Vacuum(cmd.Context())
			if err != nil {
				return hinted(err, "runnel db status says who has it open")
			}
			if !env.printer.people() {
				return env.printer.one(json.RawMessage(fmt.Sprintf(`{"bytes_before":%d,"bytes_after":%d}`, before, after)), strconv.FormatInt(after, 10), nil)
			}
			env.say("%s before, %s after", env.printer.bytes(before), env.printer.bytes(after))
			return nil
		},
	}
}
