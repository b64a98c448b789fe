package kill

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	kills = flag.Int("kills", 4, "how often to kill; make kill asks for 20")
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "chooses the moments")
)

// TestKill kills a program on a real file with SIGKILL, at random moments, and
// lets the checker compare what ran with what the file says.
func TestKill(t *testing.T) {
	t.Logf("seed %d", *seed)
	dir := t.TempDir()
	if err := Build(t.Context(), dir, "kill/workload", "checker"); err != nil {
		t.Fatal(err)
	}
	v := &Victim{
		Checker:  filepath.Join(dir, "checker"),
		Database: filepath.Join(dir, "killed.db"),
		Ledger:   filepath.Join(dir, "ledger"),
		Rand:     rand.New(rand.NewPCG(*seed, 0)),
		Log:      t.Logf,
	}
	const perRound = 41 // bodies, at least: mostly 45, it depends on how often some fail
	rounds := 20 * *kills
	v.Command = []string{filepath.Join(dir, "workload"), "-db", v.Database, "-ledger", v.Ledger, "-rounds", fmt.Sprint(rounds)}
	out, err := v.Run(t.Context(), *kills, perRound*rounds)
	if err != nil {
		t.Fatalf("%v\nto repeat it: make kill SEED=%d", err, *seed)
	}
	t.Logf("%s", out)
	verdict, err := v.Check(t.Context())
	t.Log(verdict)
	if err != nil {
		t.Fatalf("the checker: %v\nto repeat it: make kill SEED=%d", err, *seed)
	}
	doctor(t, v)
}

// doctor takes one end out of the ledger; the checker must notice.
func doctor(t *testing.T, v *Victim) {
	t.Helper()
	text, err := os.ReadFile(v.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(string(text), "\nend ")
	if err := os.WriteFile(v.Ledger, append(text[:at+1:at+1], text[at+1+strings.Index(string(text[at+1:]), "\n")+1:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := v.Check(t.Context()); err == nil || !strings.Contains(out, "noted no such end") {
		t.Errorf("a ledger without its last end: %v\n%s", err, out)
	}
}
