package pgtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Instance is a server of a test's own, which it may stop, and set up as it likes.
// It listens on a Unix socket in its folder, and goes after the test.
type Instance struct {
	Socket string // folder of the socket

	tb       testing.TB
	bin, dir string
	as       []string // how its programs are started: the server refuses to be root
}

// Start makes an instance and starts it. Settings are lines of its configuration.
func Start(tb testing.TB, settings ...string) *Instance {
	tb.Helper()
	p := newInstance(tb)
	p.run("initdb", "-D", p.data(), "-U", "runnel", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	p.Set(append([]string{"listen_addresses = ''", "recovery_init_sync_method = syncfs"}, settings...)...)
	p.up()
	return p
}

func newInstance(tb testing.TB) *Instance {
	tb.Helper()
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // a socket's path is short
	if err == nil {
		tb.Cleanup(func() { _ = os.RemoveAll(dir) })
		err = os.Chmod(dir, 0o777) //nolint:gosec // the server's user makes its own folders in it
	}
	if err != nil {
		tb.Fatal(err)
	}
	return &Instance{Socket: dir, tb: tb, bin: env(tb, "RUNNEL_POSTGRES_BIN"), dir: dir, as: strings.Fields(os.Getenv("RUNNEL_POSTGRES_AS"))}
}

func (p *Instance) data() string { return filepath.Join(p.dir, "data") }

// run runs one of PostgreSQL's programs as the server's user.
func (p *Instance) run(program string, args ...string) {
	p.tb.Helper()
	if out, err := p.try(program, args...); err != nil {
		log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		p.tb.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, log)
	}
}

func (p *Instance) try(program string, args ...string) ([]byte, error) {
	words := append(append(slices.Clip(p.as), filepath.Join(p.bin, program)), args...)
	cmd := exec.CommandContext(context.WithoutCancel(p.tb.Context()), words[0], words[1:]...) //nolint:gosec // of a test
	cmd.Dir = p.dir
	out, err := os.Create(filepath.Join(p.dir, program+".out")) //nolint:gosec // of a test; not a pipe, which the server would keep open
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	text, _ := os.ReadFile(out.Name()) // it is for people
	return text, err
}

// Trust lets in whoever comes from an address.
func (p *Instance) Trust(address string) {
	p.tb.Helper()
	p.add("pg_hba.conf", "host all all "+address+" trust")
	p.Exec("SELECT pg_reload_conf()")
}

// Set adds lines to the configuration, which hold from the next start on.
func (p *Instance) Set(lines ...string) {
	p.tb.Helper()
	p.add("postgresql.conf", lines...)
}

func (p *Instance) add(name string, lines ...string) {
	p.tb.Helper()
	file, err := os.OpenFile(filepath.Join(p.data(), name), os.O_APPEND|os.O_WRONLY, 0) //nolint:gosec // of a test
	if err == nil {
		_, err = file.WriteString(strings.Join(lines, "\n") + "\n")
	}
	if err != nil {
		p.tb.Fatal(err)
	}
	if err := file.Close(); err != nil {
		p.tb.Fatal(err)
	}
}

// up starts the server, and has it stopped after the test.
func (p *Instance) up() {
	p.tb.Helper()
	p.Set("unix_socket_directories = '" + p.Socket + "'")
	p.Resume()
	p.tb.Cleanup(func() { _, _ = p.try("pg_ctl", "-D", p.data(), "-m", "immediate", "-w", "stop") }) // the test may have stopped it
}

// Stop ends the server at once, as a power failure does.
func (p *Instance) Stop() {
	p.tb.Helper()
	p.run("pg_ctl", "-D", p.data(), "-m", "immediate", "-w", "stop")
}

// Resume starts the server again.
func (p *Instance) Resume() {
	p.tb.Helper()
	p.run("pg_ctl", "-D", p.data(), "-l", filepath.Join(p.dir, "log"), "-w", "start")
}

// Standby starts a second instance that follows this one. From then on no commit of
// this one is acknowledged which the other one does not have.
func (p *Instance) Standby() *Instance {
	p.tb.Helper()
	s := p.Follower()
	p.Exec("ALTER SYSTEM SET synchronous_standby_names = '*'")
	p.Exec("SELECT pg_reload_conf()")
	p.Exec("CREATE TABLE followed ()") // waits for the standby
	return s
}

// Follower starts a second instance that follows this one without anybody waiting for it.
func (p *Instance) Follower() *Instance {
	p.tb.Helper()
	s := newInstance(p.tb)
	s.run("pg_basebackup", "-D", s.data(), "-d", "host="+p.Socket+" user=runnel", "-c", "fast", "-X", "stream", "-R", "--no-sync")
	s.up()
	return s
}

// Unfollow has a follower follow no longer, once it has what a query gives a number for.
func (p *Instance) Unfollow(until string, args ...any) {
	p.tb.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for patience := time.After(30 * time.Second); p.Number(until, args...) == 0; {
		select {
		case <-look.C:
		case <-patience:
			p.tb.Fatalf("the follower does not have what was asked for: %s", until)
		}
	}
	p.Exec("ALTER SYSTEM SET primary_conninfo = ''")
	p.Exec("SELECT pg_reload_conf()")
	for p.Number("SELECT count(*) FROM pg_stat_wal_receiver") > 0 {
		<-look.C
	}
}

// Promote makes a standby the primary.
func (p *Instance) Promote() {
	p.tb.Helper()
	p.run("pg_ctl", "-D", p.data(), "-w", "promote")
}

// DSN is that of the instance, or of whichever of several takes writes.
func (p *Instance) DSN(others ...*Instance) string {
	hosts := []string{p.Socket}
	for _, o := range others {
		hosts = append(hosts, o.Socket)
	}
	dsn := With("postgres://runnel@/postgres", "host", strings.Join(hosts, ","))
	if len(others) > 0 {
		dsn = With(dsn, "target_session_attrs", "read-write")
	}
	return dsn
}

// Exec runs a statement on the instance.
func (p *Instance) Exec(text string, args ...any) {
	p.tb.Helper()
	ctx := context.WithoutCancel(p.tb.Context())
	conn := connect(p.tb, p.DSN())
	if _, err := conn.Exec(ctx, text, args...); err != nil {
		p.tb.Fatalf("%s: %v", text, err)
	}
	_ = conn.Close(ctx) // whoever stops the server need not wait
}

// Number runs a query on the instance that gives one.
func (p *Instance) Number(text string, args ...any) (n int64) {
	p.tb.Helper()
	ctx := context.WithoutCancel(p.tb.Context())
	conn := connect(p.tb, p.DSN())
	if err := conn.QueryRow(ctx, text, args...).Scan(&n); err != nil {
		p.tb.Fatalf("%s: %v", text, err)
	}
	_ = conn.Close(ctx)
	return n
}

// Crowd ends the connections of a role and takes all that there can be, as often as
// it needs until the role has none. It gives what makes room again.
func (p *Instance) Crowd(role string) (leave func()) {
	p.tb.Helper()
	ctx := context.WithoutCancel(p.tb.Context())
	watch := connect(p.tb, p.DSN())
	var crowd []*pgx.Conn
	for {
		for {
			conn, err := pgx.Connect(ctx, p.DSN())
			if err != nil {
				break
			}
			crowd = append(crowd, conn)
		}
		var left int
		err := watch.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity WHERE usename = $1", role).Scan(&left)
		if err != nil {
			p.tb.Fatal(err)
		}
		if left == 0 {
			break
		}
	}
	return func() {
		for _, conn := range crowd {
			_ = conn.Close(ctx) // it was only there
		}
	}
}
