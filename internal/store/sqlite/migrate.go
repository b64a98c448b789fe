package sqlite

import (
	"context"
	"embed"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is all migrations in their order. A released one never changes; the
// file's user_version is how many of them it has.
var schema, migrationNames = readSchema()

func readSchema() (s sqlitemigration.Schema, names []string) {
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		panic(err) // it is part of the program
	}
	s.AppID = applicationID
	for i, e := range entries { // ordered by name
		var n int
		if _, err := fmt.Sscanf(e.Name(), "%04d_", &n); err != nil || n != i+1 {
			panic("sqlite: migration " + e.Name() + " is not numbered in order")
		}
		text, err := migrations.ReadFile("migrations/" + e.Name())
		if err != nil {
			panic(err)
		}
		s.Migrations, names = append(s.Migrations, string(text)), append(names, e.Name())
	}
	return s, names
}

// migrate applies what is missing, each migration in a transaction of its own.
func migrate(ctx context.Context, conn *sqlite.Conn, path string) error {
	version, err := pragmaInt(conn, "PRAGMA user_version")
	if err != nil {
		return err
	}
	if version == int64(len(schema.Migrations)) {
		return nil
	}
	if err := sqlitemigration.Migrate(ctx, conn, schema); err != nil {
		return fmt.Errorf("schema %d to %d: %w", version, len(schema.Migrations), openError(path, err))
	}
	return nil
}
