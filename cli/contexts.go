package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/runnel-dev/runnel/api"
)

// config is the file of contexts.
type config struct {
	Current  string           `yaml:"current,omitempty"`
	Contexts map[string]place `yaml:"contexts,omitempty"`
}

// configPath is where it is; "" if there is no home.
func (env *Env) configPath() string {
	if p := env.Getenv("RUNNEL_CONFIG"); p != "" {
		return p
	}
	if p := env.Getenv("XDG_CONFIG_HOME"); p != "" {
		return filepath.Join(p, "runnel", "config.yaml")
	}
	if home := cmp.Or(env.Getenv("HOME"), env.Getenv("USERPROFILE")); home != "" {
		return filepath.Join(home, ".config", "runnel", "config.yaml")
	}
	return ""
}

func (env *Env) readConfig() (config, error) {
	c := config{Contexts: map[string]place{}}
	path := env.configPath()
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the user's own file
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, nil
	case err != nil:
		return c, api.Errorf(api.ErrInvalid, "", "file of contexts: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && len(bytes.TrimSpace(text)) > 0 {
		return c, api.Errorf(api.ErrInvalid, "", "file of contexts %s: %w", path, err)
	}
	return c, nil
}

// changeConfig reads, changes and replaces the file, which only its owner may read:
// it may hold tokens.
func (env *Env) changeConfig(f func(*config) error) error {
	c, err := env.readConfig()
	if err != nil {
		return err
	}
	if err := f(&c); err != nil {
		return err
	}
	path := env.configPath()
	if path == "" {
		return usagef("there is no home directory to keep contexts in: set RUNNEL_CONFIG")
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	next := path + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

func newContextCmd(env *Env) *cobra.Command {
	return group("context", "Names for servers and databases", []string{"contexts"},
		newContextAddCmd(env), newContextUseCmd(env), newContextLsCmd(env), newContextRmCmd(env), newContextShowCmd(env))
}

func newContextAddCmd(env *Env) *cobra.Command {
	var token string
	c := &cobra.Command{
		Use: "add NAME", Short: "Keep --server or --db under a name", Args: exactly("NAME"),
		Example: "  runnel context add prod --server https://runnel.example.com\n  runnel context use prod",
		RunE: func(_ *cobra.Command, args []string) error {
			p := place{Server: env.flags.server, DB: env.flags.db, Token: token}
			if p.Server == "" && p.DB == "" {
				return usagef("context %q of what? Give --server URL or --db DSN", args[0])
			}
			err := env.changeConfig(func(c *config) error {
				c.Contexts[args[0]] = p
				return nil
			})
			if err == nil {
				env.say("added context %q; use it with: runnel context use %s", args[0], args[0])
			}
			return err
		},
	}
	c.Flags().StringVar(&token, "token", "", "`token` to send to the server")
	return c
}

func newContextUseCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Use a context from now on", Args: exactly("NAME"), ValidArgsFunction: env.completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			err := env.changeConfig(func(c *config) error {
				if _, ok := c.Contexts[args[0]]; !ok {
					return noContext(args[0])
				}
				c.Current = args[0]
				return nil
			})
			if err == nil {
				env.say("using context %q", args[0])
			}
			return err
		},
	}
}

func noContext(name string) error {
	return hinted(api.Errorf(api.ErrNotFound, "", "there is no context %q", name), "see: runnel context ls")
}

func newContextRmCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "Forget a context", Args: exactly("NAME"), ValidArgsFunction: env.completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			err := env.changeConfig(func(c *config) error {
				if _, ok := c.Contexts[args[0]]; !ok {
					return noContext(args[0])
				}
				delete(c.Contexts, args[0])
				if c.Current == args[0] {
					c.Current = ""
				}
				return nil
			})
			if err == nil {
				env.say("forgot context %q", args[0])
			}
			return err
		},
	}
}

// contextRow is a context as it is shown; its token is not.
type contextRow struct {
	Name    string `json:"name"`
	Server  string `json:"server,omitempty"`
	DB      string `json:"db,omitempty"`
	Current bool   `json:"current"`
}

var contextTable = table[contextRow]{
	id: func(r *contextRow) string { return r.Name }, empty: "no contexts",
	columns: []column[contextRow]{
		{name: "NAME", value: func(_ *printer, r *contextRow) string { return r.Name }},
		{name: "CURRENT", value: func(_ *printer, r *contextRow) string {
			if r.Current {
				return "*"
			}
			return ""
		}},
		{name: "AT", value: func(_ *printer, r *contextRow) string { return cmp.Or(r.Server, r.DB) }},
	},
}

func newContextLsCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List contexts", Args: none,
		RunE: func(*cobra.Command, []string) error {
			c, err := env.readConfig()
			if err != nil {
				return err
			}
			var rows []contextRow
			for _, name := range slices.Sorted(maps.Keys(c.Contexts)) {
				p := c.Contexts[name]
				rows = append(rows, contextRow{Name: name, Server: p.Server, DB: p.DB, Current: name == c.Current})
			}
			return printRows(env, contextTable, rows)
		},
	}
}

// where is the place that commands speak to, as it is shown.
type where struct {
	Server string `json:"server,omitempty"`
	DB     string `json:"db,omitempty"`
	From   string `json:"from"`
	Token  bool   `json:"token"`
	Config string `json:"config"`
}

func (env *Env) showPlace(*cobra.Command, []string) error {
	p, err := env.place()
	if err != nil {
		return err
	}
	w := where{Server: p.Server, DB: p.DB, From: p.from, Token: p.Token != "", Config: env.configPath()}
	raw, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return env.printer.one(raw, cmp.Or(w.Server, w.DB), func(f *facts) {
		f.line("at", cmp.Or(w.Server, w.DB))
		f.line("from", w.From)
		if w.Token {
			f.line("token", "yes")
		}
		f.line("config", w.Config)
	})
}

func newContextShowCmd(env *Env) *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Show where commands go now", Args: none, RunE: env.showPlace}
}

func newConfigCmd(env *Env) *cobra.Command {
	return group("config", "Where commands go, and why", nil,
		&cobra.Command{Use: "show", Short: "Show where commands go now, and what says so", Args: none, RunE: env.showPlace})
}

func (env *Env) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	c, _ := env.readConfig() // completion is silent
	return slices.Sorted(maps.Keys(c.Contexts)), cobra.ShellCompDirectiveNoFileComp
}
