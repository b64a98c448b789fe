package postgres

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/runnel-dev/runnel/api"
)

// settings is what a DSN and the options say.
type settings struct {
	pool     *pgxpool.Config
	schema   string // as it is called
	tables   string // quoted, with the point behind it
	location string // without a password
	lease    time.Duration
	quiet    bool // nobody listens or notifies
	pooled   bool // each transaction may be on another connection of the server
}

const (
	defaultSchema = "runnel"
	defaultLease  = 10 * time.Second
	defaultPool   = 8
	callConns     = 3
	pingTimeout   = 5 * time.Second // of a connection that was not used for a second
)

// parse reads a DSN in one of the forms that PostgreSQL has for it: a URL, or
// words like host=x. Its own parameters are schema, lease, notify and pooler; all
// others are those of pgx. No error of it shows any of the DSN, since it may hold
// a password.
func parse(dsn string, opts Options) (*settings, error) {
	pool, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, api.Errorf(api.ErrInvalid, "postgres", "the dsn can't be read; it is like postgres://user@host:5432/database?schema=runnel (%s)", harmless(err, dsn))
	}
	s := &settings{pool: pool, schema: defaultSchema, lease: opts.Lease}
	conn := pool.ConnConfig
	// What pgx does not know it takes for settings of the server.
	if err := s.parseOwn(conn.RuntimeParams); err != nil {
		return nil, err
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		pool.MaxConns = defaultPool
	}
	if pool.PingTimeout == 0 {
		pool.PingTimeout = pingTimeout
	}
	if s.pooled {
		// What is prepared in one transaction is not there in the next.
		conn.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "runnel"
	}
	s.tables = pgx.Identifier{s.schema}.Sanitize() + "."
	s.location = place(conn, s.schema)
	return s, nil
}

// parseOwn takes our own parameters out of all.
func (s *settings) parseOwn(params map[string]string) (err error) {
	take := func(name string) (value string, given bool) {
		value, given = params[name]
		delete(params, name)
		return value, given
	}
	if schema, given := take("schema"); given {
		s.schema = schema
	}
	if s.schema == "" || strings.ContainsRune(s.schema, 0) || len(s.schema) > 63 {
		return api.Errorf(api.ErrInvalid, "postgres", "schema=%q in the dsn: want a name of 1 to 63 bytes", s.schema)
	}
	if lease, given := take("lease"); given {
		if s.lease, err = time.ParseDuration(lease); err != nil || s.lease < minLease {
			return api.Errorf(api.ErrInvalid, "postgres", "lease=%q in the dsn: want a time like 10s, at least %s", lease, minLease)
		}
	}
	if s.lease == 0 {
		s.lease = defaultLease
	}
	for name, one := range map[string]struct {
		on, off string
		value   *bool
	}{"notify": {"off", "on", &s.quiet}, "pooler": {"transaction", "none", &s.pooled}} {
		v, given := take(name)
		*one.value = v == one.on
		if given && v != one.on && v != one.off {
			return api.Errorf(api.ErrInvalid, "postgres", "%s=%q in the dsn: want %s or %s", name, v, one.on, one.off)
		}
	}
	s.quiet = s.quiet || s.pooled // who listens must stay on its connection
	return nil
}

// harmless gives the text of an error if no part of the DSN could be in it.
func harmless(err error, dsn string) string {
	text := err.Error()
	_, rest, _ := strings.Cut(dsn, "://")
	user, _, found := strings.Cut(rest, "@")
	if _, password, has := strings.Cut(user, ":"); found && has && password == "" {
		return text
	}
	if strings.Contains(dsn, "password") || strings.Contains(user, ":") || !found && strings.Contains(rest, ":") {
		return "its text is withheld, since the dsn holds a password"
	}
	return text
}

// place says where the data is, for people.
func place(conn *pgx.ConnConfig, schema string) string {
	hosts := []string{fmt.Sprintf("%s:%d", conn.Host, conn.Port)}
	for _, f := range conn.Fallbacks {
		hosts = append(hosts, fmt.Sprintf("%s:%d", f.Host, f.Port))
	}
	return fmt.Sprintf("postgres://%s/%s?schema=%s", strings.Join(slices.Compact(hosts), ","), conn.Database, schema)
}
