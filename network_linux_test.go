package runnel_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// network is a machine of its own as far as its network goes: a namespace, and a
// cable from there to here.
type network struct {
	t          *testing.T
	name, wire string
	here       string // our address at this end
}

// ip runs the command ip.
func ip(t *testing.T, words ...string) error {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "ip", words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(words, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// newNetwork makes one. Whoever may not skips the test; make network does not let
// that pass.
func newNetwork(t *testing.T) *network {
	t.Helper()
	pid := os.Getpid() % 10_000
	n := &network{t: t, name: fmt.Sprint("runnel", pid), wire: fmt.Sprint("rnl", pid), here: fmt.Sprintf("10.213.%d.1", pid%250)}
	if err := ip(t, "netns", "add", n.name); err != nil {
		t.Skipf("this user may not make a network namespace: %v", err)
	}
	t.Cleanup(func() { do(t, ip(t, "netns", "delete", n.name)) }) // and the cable
	there := strings.TrimSuffix(n.here, "1") + "2/24"
	for _, words := range [][]string{
		{"link", "add", n.wire, "type", "veth", "peer", "name", "eth0", "netns", n.name},
		{"address", "add", n.here + "/24", "dev", n.wire},
		{"link", "set", n.wire, "up"},
		{"-n", n.name, "address", "add", there, "dev", "eth0"},
		{"-n", n.name, "link", "set", "lo", "up"},
		{"-n", n.name, "link", "set", "eth0", "up"},
	} {
		do(t, ip(t, words...))
	}
	return n
}

// cut and join pull the cable, and put it back.
func (n *network) cut()  { do(n.t, ip(n.t, "link", "set", n.wire, "down")) }
func (n *network) join() { do(n.t, ip(n.t, "link", "set", n.wire, "up")) }

// A worker on another machine is cut off from the database in the middle of its
// tasks: no connection is closed, nothing comes or goes. Others take its work over
// within the lease. It says that the database is away; its bodies end meanwhile.
// Joined again, it is told that it came too late, and begins anew.
func TestNetworkCut(t *testing.T) {
	if dsn := os.Getenv(childVariable); dsn != "" {
		worksAsChild(t, dsn)
		return
	}
	n := newNetwork(t)
	const lease = 2 * time.Second
	server := pgtest.Start(t, "listen_addresses = '"+n.here+"'")
	server.Trust(n.here + "/24")
	near := pgtest.With(server.DSN(), "lease", lease.String())
	c := startChild(t, "postgres://runnel@"+n.here+"/postgres?lease="+lease.String(), "ip", "netns", "exec", n.name)
	ids := c.runs()
	begun := make(chan string, 1000)
	eng := process(t, near, runnel.Register(linger(0, func(key string) { begun <- key })), runnel.Concurrency(8))
	n.cut()
	c.goesOn(eng, begun, ids, lease)
	wants(t, "processes while one is cut off", len(eng.Health().Processes), 1)
	c.says("the store can't be reached")
	n.join()
	c.comesBack(func() int64 {
		return server.Number("SELECT count(*) FROM runnel.task WHERE state = $1", api.Completed)
	})
}
