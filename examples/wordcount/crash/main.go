// Command crash runs the word count twice: once undisturbed, once killed with
// SIGKILL half-way and started again. The answers must be equal, and the checker
// must find every promise kept.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/examples/kill"
)

func main() {
	var (
		dir   = flag.String("dir", "", "directory to read (default: the Go toolchain's)")
		kills = flag.Int("kills", 3, "how often to kill it")
		seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "chooses the moments")
	)
	flag.Parse()
	if err := crash(context.Background(), *dir, *kills, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

func crash(ctx context.Context, dir string, kills int, seed uint64) error {
	fmt.Printf("seed %d\n", seed)
	work, err := os.MkdirTemp("", "runnel-crash")
	if err != nil {
		return err
	}
	if err := kill.Build(ctx, work, "wordcount", "checker"); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, seed))
	calm, _, err := count(ctx, work, "calm", dir, 0, 0, random)
	if err != nil {
		return err
	}
	fmt.Print("undisturbed:\n", calm.answer)
	torn, verdict, err := count(ctx, work, "killed", dir, kills, calm.bodies, random)
	if err != nil {
		return fmt.Errorf("%w (the files are in %s)", err, work)
	}
	if torn.answer != calm.answer {
		return fmt.Errorf("the answers differ; killed:\n%s(the files are in %s)", torn.answer, work)
	}
	fmt.Printf("killed %d times: the answer is equal\n%s", kills, verdict)
	return os.RemoveAll(work)
}

// outcome is what came out of a word count.
type outcome struct {
	answer string
	bodies int
}

// count runs the word count to its end, and lets the checker judge.
func count(ctx context.Context, work, name, dir string, kills, bodies int, random *rand.Rand) (o outcome, verdict string, err error) {
	v := kill.Victim{
		Checker:  filepath.Join(work, "checker"),
		Database: filepath.Join(work, name+".db"),
		Ledger:   filepath.Join(work, name+".ledger"),
		Rand:     random,
		Log:      func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
	}
	v.Command = []string{filepath.Join(work, "wordcount"), "-db", v.Database, "-ledger", v.Ledger, "-dir", dir, "-continue"}
	out, err := v.Run(ctx, kills, bodies)
	if err != nil {
		return o, "", err
	}
	if verdict, err = v.Check(ctx); err != nil {
		return o, "", fmt.Errorf("%w\n%s", err, verdict)
	}
	o.answer = strings.Join(answer.FindAllString(string(out), -1), "")
	if _, err := fmt.Sscanf(bodiesOf.FindString(verdict), "bodies=%d", &o.bodies); err != nil {
		return o, "", fmt.Errorf("the checker says %q: %w", verdict, err)
	}
	return o, verdict, nil
}

var (
	answer   = regexp.MustCompile(`(?m)^(files=\d+ words=\d+|\d+ [a-z]+)\n`)
	bodiesOf = regexp.MustCompile(`bodies=\d+`)
)
