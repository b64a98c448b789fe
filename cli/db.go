package cli

import (
	"encoding/json"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newDBCmd(env *Env) *cobra.Command {
	return group("db", "Look after a database", nil, newMigrateCmd(env))
}

func newMigrateCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Bring a database to the schema of this version; there is no way back", Args: none,
		Long: `Bring a database to the schema of this version, and make it if it is not there.
Every program does that when it opens one; this does it and no more, before new
programs are started. There is no way back.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := env.place()
			if err != nil {
				return err
			}
			if at.Server != "" {
				return usagef("a server brings its database up to date by itself: give --db DSN (%s)", at.from)
			}
			eng, err := env.open(cmd.Context(), at.DB, change)
			if err != nil {
				return err
			}
			if err := eng.Close(cmd.Context()); err != nil {
				return err
			}
			env.say("the database has the schema of this version")
			return nil
		},
	}
}

// versions is what runnel version tells.
type versions struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	System  string `json:"system"`
}

func newVersionCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this program's Runnel", Args: none,
		RunE: func(*cobra.Command, []string) error {
			v := versions{Version: httpapi.Version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
			raw, err := json.Marshal(v)
			if err != nil {
				return err
			}
			return env.printer.one(raw, v.Version, func(f *facts) {
				f.line("runnel", v.Version)
				f.line("go", v.Go)
				f.line("system", v.System)
			})
		},
	}
}
