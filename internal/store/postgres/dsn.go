package postgres

import (
	"fmt"
	"net/url"
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
)

// parse reads a DSN. Its own parameters are schema, lease, notify and pooler; all
// others are those of pgx. No error of it shows any of the DSN, since it may hold a password.
func parse(dsn string, opts Options) (*settings, error) {
	base, query, _ := strings.Cut(dsn, "?")
	params, err := url.ParseQuery(query)
	if err != nil || !strings.HasPrefix(base, "postgres://") && !strings.HasPrefix(base, "postgresql://") {
		return nil, api.Errorf(api.ErrInvalid, "postgres", "the dsn is not like postgres://user@host:5432/database?schema=runnel")
	}
	s := &settings{schema: defaultSchema, lease: opts.Lease}
	if s.lease == 0 {
		s.lease = defaultLease
	}
	if params.Has("schema") {
		s.schema = params.Get("schema")
	}
	if s.schema == "" || strings.ContainsRune(s.schema, 0) || len(s.schema) > 63 {
		return nil, api.Errorf(api.ErrInvalid, "postgres", "schema=%q in the dsn: want a name of 1 to 63 bytes", s.schema)
	}
	if params.Has("lease") {
		if s.lease, err = time.ParseDuration(params.Get("lease")); err != nil || s.lease < minLease {
			return nil, api.Errorf(api.ErrInvalid, "postgres", "lease=%q in the dsn: want a time like 10s, at least %s", params.Get("lease"), minLease)
		}
	}
	if err := s.parseWay(params); err != nil {
		return nil, err
	}
	for _, own := range []string{"schema", "lease", "notify", "pooler"} {
		params.Del(own)
	}
	if encoded := params.Encode(); encoded != "" {
		base += "?" + encoded
	}
	if s.pool, err = pgxpool.ParseConfig(base); err != nil {
		return nil, api.Errorf(api.ErrInvalid, "postgres", "the dsn can't be read; check its host, port and parameters (%s)", harmless(err, dsn))
	}
	if !params.Has("pool_max_conns") {
		s.pool.MaxConns = defaultPool
	}
	conn := s.pool.ConnConfig
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

// parseWay reads what there is between this process and the server.
func (s *settings) parseWay(params url.Values) error {
	for name, one := range map[string]struct {
		on, off string
		value   *bool
	}{"notify": {"off", "on", &s.quiet}, "pooler": {"transaction", "none", &s.pooled}} {
		switch v := params.Get(name); {
		case v == one.on:
			*one.value = true
		case v != one.off && params.Has(name):
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
