package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// serving is the flags of server and dev.
type serving struct {
	listen   string
	readOnly bool
	workers  int
	// Who comes in, and how.
	tokens    bool
	tokenFile string
	cert, key string
	proxied   bool
	drain     time.Duration
	// What is served, and where.
	noPages bool
	prefix  string
	// What dev has besides.
	demo    *seeding
	browser bool
}

func (s *serving) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.listen, "listen", "127.0.0.1:7733", "`address` to listen on; port 0 takes one that is free")
	c.Flags().DurationVar(&s.drain, "drain", 30*time.Second, "how long to wait for bodies at the end")
	c.Flags().BoolVar(&s.browser, "open", false, "open it in the browser")
	c.Flags().BoolVar(&s.noPages, "no-ui", false, "serve the REST API without pages")
	c.Flags().StringVar(&s.prefix, "prefix", "", "`path` below which all is served, such as /runnel")
	c.Flags().IntVar(&s.workers, "workers", -1, "how many bodies run at a time; 0: none; default as the program says")
}

func newServerCmd(env *Env) *cobra.Command {
	var s serving
	c := &cobra.Command{
		Use: "server", Aliases: []string{"start"}, Short: "Serve a database: engine, workers, pages and REST API in one process", Args: none,
		Long: `Serve a database: engine, workers, pages and REST API in one process. It runs the tasks
of this program. SIGTERM or an interrupt ends it: no body begins any more, and
those that run are waited for.

--builtin has it run commands and HTTP requests that pipelines ask for, without a
program of yours. Nobody is asked who they are unless --require-token or --token-file is given. Where
other machines can reach it, it must ask, and over TLS: --tls-cert and --tls-key, or
--behind-proxy if a proxy before it does that.`,
		Example: "  runnel server --db sqlite:flows.db\n  runnel server --db postgres://localhost/flows --workers 0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := env.place()
			if err != nil {
				return err
			}
			if at.Server != "" {
				return usagef("a server serves a database: give --db, not a server (%s)", at.from)
			}
			return env.serve(cmd.Context(), at.DB, &s)
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&s.tokens, "require-token", false, "let in only who shows a token; see: runnel token")
	c.Flags().StringVar(&s.tokenFile, "token-file", "", "`file` with the secret of an admin's token beside those in the database; implies --require-token")
	c.Flags().StringVar(&s.cert, "tls-cert", "", "`file` with the certificate; PEM")
	c.Flags().StringVar(&s.key, "tls-key", "", "`file` with its key; PEM")
	c.Flags().BoolVar(&s.proxied, "behind-proxy", false, "a proxy before this server speaks TLS; the address that it adds to X-Forwarded-For is who asks")
	c.Flags().BoolVar(&s.readOnly, "read-only", false, "refuse whatever would change something")
	return c
}

// What a client may take: so long for the header of a request, which is so large at most,
// and so long until the next one on a connection. Bodies and streams have bounds of their own.
const (
	headerTime = 10 * time.Second
	headerSize = 64 << 10
	idleTime   = 2 * time.Minute
)

func newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerSize}
}

func (env *Env) serve(ctx context.Context, dsn string, s *serving) error {
	options, err := s.options()
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return hinted(api.Errorf(api.ErrConflict, "", "%w", err), "another address: --listen 127.0.0.1:0")
	}
	why := work
	var opts []runnel.OpenOption
	switch {
	case s.workers == 0:
		why = change
	case s.workers > 0:
		opts = append(opts, runnel.Concurrency(s.workers))
	}
	if s.demo != nil {
		defer s.demo.End()
		opts = append(opts, s.demo.Options()...)
	}
	eng, err := env.open(ctx, dsn, why, opts...)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	handler := eng.Handler(options...)
	srv := newHTTPServer(s.known(s.under(handler)))
	failed := make(chan error, 1)
	scheme := "http://"
	if s.cert != "" {
		scheme = "https://"
		go func() { failed <- srv.ServeTLS(listener, s.cert, s.key) }()
	} else {
		go func() { failed <- srv.Serve(listener) }()
	}
	url := scheme + listener.Addr().String() + s.prefix
	env.greet(url, dsn, len(eng.Tasks()), !s.noPages)
	if err = s.begin(ctx, env, eng, handler, url); err == nil {
		select {
		case err = <-failed:
		case <-ctx.Done():
			env.note("draining; once more ends it at once")
		}
	}
	if s.demo != nil {
		s.demo.End()
	}
	return errors.Join(err, env.drain(ctx, srv, eng, s.drain))
}

// under puts a handler below the prefix.
func (s *serving) under(h http.Handler) http.Handler {
	if s.prefix == "" {
		return h
	}
	mux := http.NewServeMux()
	mux.Handle(s.prefix+"/", http.StripPrefix(s.prefix, h))
	return mux
}

// known has requests come from who asked the proxy: else all failed logins would be of
// one address, and one client could keep the others out. What stands before the last
// address was said by the client itself, and is not believed.
func (s *serving) known(h http.Handler) http.Handler {
	if !s.proxied {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if said := r.Header.Values("X-Forwarded-For"); len(said) > 0 {
			all := strings.Split(said[len(said)-1], ",")
			if ip := net.ParseIP(strings.TrimSpace(all[len(all)-1])); ip != nil {
				r = r.Clone(r.Context())
				r.RemoteAddr = net.JoinHostPort(ip.String(), "0")
			}
		}
		h.ServeHTTP(w, r)
	})
}

// begin does what dev does before it is ready.
func (s *serving) begin(ctx context.Context, env *Env, eng *runnel.Engine, handler http.Handler, url string) error {
	if s.demo != nil {
		if err := s.demo.run(ctx, env, eng, handler); err != nil && ctx.Err() == nil {
			return err
		}
	}
	if s.browser {
		if err := openBrowser(ctx, url); err != nil {
			env.note("no browser could be opened: %v", err)
		}
	}
	return nil
}

// drain ends a server: streams end with the engine, and requests that are being
// answered are answered.
func (env *Env) drain(ctx context.Context, srv *http.Server, eng *runnel.Engine, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	stopped := make(chan error, 1)
	go func() {
		err := srv.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close() // connections that somebody opened and did not use
		}
		stopped <- err
	}()
	err := eng.Close(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		env.note("bodies that did not end in %s run again", limit)
		err = nil
	}
	return errors.Join(err, <-stopped)
}

// greet says where the server is, and what to do with it.
func (env *Env) greet(url, dsn string, tasks int, pages bool) {
	fmt.Fprintf(env.Out, "serving %s at %s\n", cmp.Or(shown(dsn), "a database"), url)
	if env.flags.quiet {
		return
	}
	if tasks == 0 {
		env.note("this program has no tasks: put cli.Main(runnel.Register(…)) into the one that has, or take --builtin")
	}
	if pages {
		env.note("pages: %s/", url)
	}
	env.note("try: runnel --server %s status\n     runnel --server %s flow ls\n     curl %s/api/v1/runs", url, url, url)
}

// shown gives a DSN that may be shown: one of PostgreSQL may have a password.
func shown(dsn string) string {
	if alone(dsn) {
		return dsn
	}
	return ""
}
