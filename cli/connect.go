package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/builtin"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// purpose is what a command wants an engine of this process for.
type purpose int

const (
	look   purpose = iota // read: the database must be there
	change                // write: it is made if it is not
	work                  // and run bodies meanwhile
	hire                  // run bodies, for a server too
)

// place is where the server or the database is.
type place struct {
	Server string `json:"server,omitempty" yaml:"server,omitempty"`
	DB     string `json:"db,omitempty"     yaml:"db,omitempty"`
	Token  string `json:"-"                yaml:"token,omitempty"`
	from   string // who says so
}

// defaultDB is opened where nothing says what else.
const defaultDB = "sqlite:runnel.db"

// place says where: flags go before the environment, that before the context that is
// in use.
func (env *Env) place() (place, error) {
	token := env.Getenv("RUNNEL_TOKEN")
	server, db, name := env.Getenv("RUNNEL_SERVER"), env.Getenv("RUNNEL_DB"), env.Getenv("RUNNEL_CONTEXT")
	switch {
	case env.flags.server != "":
		return place{Server: env.flags.server, Token: token, from: "--server"}, nil
	case env.flags.db != "":
		return place{DB: env.flags.db, from: "--db"}, nil
	case env.flags.context != "":
		return env.contextPlace(env.flags.context, token, "--context "+env.flags.context)
	case server != "" && db != "":
		return place{}, usagef("RUNNEL_SERVER and RUNNEL_DB are two places: unset one, or use --server or --db")
	case server != "":
		return place{Server: server, Token: token, from: "RUNNEL_SERVER"}, nil
	case db != "":
		return place{DB: db, from: "RUNNEL_DB"}, nil
	case name != "":
		return env.contextPlace(name, token, "RUNNEL_CONTEXT "+name)
	}
	c, err := env.readConfig()
	if err != nil {
		return place{}, err
	}
	if c.Current != "" {
		return env.contextPlace(c.Current, token, "context "+c.Current)
	}
	return place{DB: defaultDB, from: "default"}, nil
}

func (env *Env) contextPlace(name, token, from string) (place, error) {
	c, err := env.readConfig()
	if err != nil {
		return place{}, err
	}
	p, ok := c.Contexts[name]
	if !ok {
		return place{}, hinted(api.Errorf(api.ErrNotFound, "", "there is no context %q (%s)", name, from), "see: runnel context ls")
	}
	p.from = from
	if token != "" {
		p.Token = token
	}
	return p, nil
}

// connect gives a client of the server, or of an engine that it opens here.
func (env *Env) connect(ctx context.Context, why purpose) (*httpapi.Client, error) {
	at, err := env.place()
	if err != nil {
		return nil, err
	}
	if at.Server != "" {
		return httpapi.NewClient(at.Server, httpapi.ClientOptions{Token: at.Token, Reason: oneLine(env.flags.reason)})
	}
	eng, err := env.open(ctx, at.DB, why)
	if err != nil {
		return nil, err
	}
	env.closing = append(env.closing, func() error {
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		if ctx.Err() != nil {
			cancel() // who interrupts does not want to wait
		}
		err := eng.Close(rest)
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil // bodies that were not waited for run again
		}
		return err
	})
	if why == work && len(eng.Tasks()) == 0 && alone(at.DB) {
		return nil, hinted(usagef("nobody would run it: this program has no tasks, and nobody else can open %s meanwhile", at.DB),
			"use the program that registers the tasks, or --server URL")
	}
	// The address is never called. With a token, which only this process knows, the
	// handler keeps tokens.
	secret := rand.Text()
	return httpapi.NewClient("http://in.process", httpapi.ClientOptions{
		Token: secret, Reason: oneLine(env.flags.reason), Transport: inProcess{eng.Handler(runnel.RequireToken(secret))},
	})
}

// closeTime is how long bodies are waited for at the end of a command.
const closeTime = 5 * time.Second

// open opens a database. To look it must be there: a name that is misspelt is not
// to make an empty file.
func (env *Env) open(ctx context.Context, dsn string, why purpose, more ...runnel.OpenOption) (*runnel.Engine, error) {
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok && why == look {
		file, _, _ = strings.Cut(file, "?")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, hinted(api.Errorf(api.ErrNotFound, "", "there is no database %s", dsn),
				"start a server with: runnel server; or say where: --server URL, --db DSN")
		}
	}
	level := slog.LevelError
	if env.flags.verbose {
		level = slog.LevelInfo
	}
	log := runnel.LogTo(slog.New(slog.NewTextHandler(env.Err, &slog.HandlerOptions{Level: level})))
	opts := append([]runnel.OpenOption{log}, env.Options...)
	if why == hire {
		// It is a worker whatever the program says, with so many bodies as that says.
		opts = append([]runnel.OpenOption{runnel.Concurrency(0)}, opts...)
	}
	if env.flags.builtin {
		opts = append(opts, runnel.Register(builtin.Tasks()...))
	}
	if why != work && why != hire {
		opts = append(opts, runnel.Queues())
	}
	eng, err := runnel.Open(ctx, dsn, append(opts, more...)...)
	if errors.Is(err, api.ErrStore) && alone(dsn) {
		return nil, hinted(err, "if a server has it open, speak to that: --server URL")
	}
	return eng, err
}

// alone reports whether a database can be open in one process at a time.
func alone(dsn string) bool {
	return strings.HasPrefix(dsn, "sqlite:") || strings.HasPrefix(dsn, "memory:")
}
