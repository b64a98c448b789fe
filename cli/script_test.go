package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/cli"
)

// What the scripts run.
var (
	double = runnel.NewTask1("double", func(ctx context.Context, x int) (int, error) {
		runnel.Logger(ctx).Info("doubling", "x", x)
		return 2 * x, nil
	}, runnel.Tags("math"), runnel.Description("Doubles a number."))
	fails = runnel.NewTask0("fails", func(ctx context.Context) (int, error) {
		runnel.Logger(ctx).Warn("this will not go well")
		return 0, errors.New("no luck")
	})
	echo = runnel.NewTask1("echo", func(_ context.Context, text string) (string, error) { return text, nil })
	// asks writes its token to the file that it is given, and waits for an answer.
	asks = runnel.NewTask1("asks", func(ctx context.Context, file string) (string, error) {
		token, err := runnel.Token(ctx)
		if err != nil {
			return "", err
		}
		return "", errors.Join(os.WriteFile(file, []byte(token), 0o600), runnel.Pending)
	})
	kept  = runnel.NewTask1("kept", func(_ context.Context, x int) (int, error) { return x, nil }, runnel.CacheKey(runnel.InputHash))
	rated = runnel.NewTask1("rated", func(_ context.Context, currency string) (string, error) { return currency, nil }, runnel.CacheBy(runnel.ByInputs))
	// held runs until it is cancelled.
	held = runnel.NewTask0("held", func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}, runnel.Tags("db"))
	pair = runnel.NewTask1("pair", func(_ context.Context, p struct{ A, B string }) (string, error) { return p.A + p.B, nil })
)

var update = flag.Bool("update", false, "write docs/cli.md, and what the scripts compare with")

// programs are one with tasks, and one without. Scripts run them in the process of the
// test; the one with tasks runs in one of its own under the name of process.
var programs = map[string][]runnel.OpenOption{
	"runnel": {runnel.Register(double, fails, echo, asks, kept, rated, held, pair)},
	"stock":  nil,
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"process": func() { cli.Main(programs["runnel"]...) }, "stockprocess": func() { cli.Main() }})
}

// noSleep keeps the race detector from waiting a second at the end of each process.
const noSleep = "atexit_sleep_ms=0"

// oneByOne runs scripts one after the other: a process that is started holds what this
// process has open for a moment, and so the lock of a database that is closed meanwhile.
type oneByOne struct{ *testing.T }

func (o oneByOne) Parallel()     {}
func (o oneByOne) Verbose() bool { return testing.Verbose() }
func (o oneByOne) Run(name string, f func(testscript.T)) {
	o.T.Run(name, func(t *testing.T) { f(oneByOne{t}) })
}

// here runs a program in this process, and gives its exit code.
func here(ts *testscript.TestScript, args []string) int {
	env := &cli.Env{
		In: strings.NewReader(""), Out: ts.Stdout(), Err: ts.Stderr(), Now: time.Now, Getenv: ts.Getenv, Options: programs[args[0]],
		CompleteTime: time.Minute, // whatever else the machine does
	}
	return cli.Run(context.Background(), env, args[1:])
}

// inProcess is here as a command of scripts.
func inProcess(name string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if code := here(ts, append([]string{name}, args...)); (code == 0) == neg {
			ts.Fatalf("%s %s exits with %d", name, strings.Join(args, " "), code)
		}
	}
}

func TestScripts(t *testing.T) {
	testscript.RunT(oneByOne{t}, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Deadline:            time.Now().Add(10 * time.Minute), // for all of them, whatever else the machine does
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GORACE", noSleep)
			e.Setenv("RUNNEL_DB", "sqlite:"+filepath.Join(e.WorkDir, "runnel.db")+"?sync=normal")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"runnel": inProcess("runnel"), "stock": inProcess("stock"), "exits": exits, "until": until, "masked": masked, "serve": serveFor(t), "answer": answerFile, "tokenfrom": tokenFrom, "pty": onTerminal,
		},
	})
}

// exits runs a command and wants an exit code: exits CODE COMMAND…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	if code := strconv.Itoa(here(ts, args[1:])); code != args[0] {
		ts.Fatalf("%s exits with %s, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// until repeats a command until its output fits: until REGEXP COMMAND…
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND…")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1500 {
		var out bytes.Buffer
		env := &cli.Env{In: strings.NewReader(""), Out: &out, Err: &out, Now: time.Now, Getenv: ts.Getenv, Options: programs[args[1]]}
		cli.Run(context.Background(), env, args[2:]) // its output tells
		if want.MatchString(out.String()) {
			return
		}
		<-tick.C
	}
	ts.Fatalf("%s never gave %s", strings.Join(args[1:], " "), args[0])
}

// What differs from run to run.
var changing = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\b(now|\d+(\.\d)?s( ago)?)\b`), "SPAN"},
	{regexp.MustCompile(`\S+, pid \d+`), "PROCESS"},
	{regexp.MustCompile(` +`), " "},
}

// masked compares the standard output with a file, but for ids, times and spaces:
// masked FILE
func masked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: masked FILE")
	}
	got := ts.ReadFile("stdout")
	for _, c := range changing {
		got = c.is.ReplaceAllString(got, c.as)
	}
	if want := ts.ReadFile(args[0]); strings.TrimSpace(got) != strings.TrimSpace(want) {
		ts.Fatalf("standard output is\n%s\nwant\n%s", got, want)
	}
}

// serve starts a server in the background, waits until it listens, and puts its
// address into RUNNEL_SERVER: serve COMMAND…
func serveFor(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) { serve(t, ts, neg, args) }
}

func serve(t *testing.T, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve COMMAND…")
	}
	out := &firstLine{found: make(chan string, 1)}
	var complaints bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GORACE="+noSleep, "HOME="+ts.Getenv("HOME"), "RUNNEL_DB="+ts.Getenv("RUNNEL_DB"))
	cmd.Dir = ts.MkAbs(".")
	cmd.Stdout, cmd.Stderr = out, &complaints
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v: %s", err, &complaints)
		}
	})
	select {
	case line := <-out.found:
		_, url, _ := strings.Cut(line, " at ")
		ts.Setenv("RUNNEL_SERVER", url)
		ts.Setenv("RUNNEL_DB", "")
	case err := <-ended:
		ended <- err
		ts.Fatalf("the server ended at once: %v", err)
	}
}

// firstLine tells the first line that is written to it.
type firstLine struct {
	text  bytes.Buffer
	found chan string
	told  bool
}

func (f *firstLine) Write(b []byte) (int, error) {
	f.text.Write(b)
	if line, _, ok := strings.Cut(f.text.String(), "\n"); ok && !f.told {
		f.told = true
		f.found <- line
	}
	return len(b), nil
}

// tokenFrom puts a token that was printed into RUNNEL_TOKEN: tokenfrom stdout
func tokenFrom(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tokenfrom stdout")
	}
	ts.Setenv("RUNNEL_TOKEN", strings.TrimSpace(ts.ReadFile(args[0])))
}

// answerFile is runnel task send with the token in a file: answer FILE ARG…
func answerFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: answer FILE ARG…")
	}
	inProcess("runnel")(ts, false, append([]string{"task", "send", ts.ReadFile(args[0])}, args[1:]...))
}

// onTerminal runs a command on a terminal of its own and wants an exit code. What is
// in the file is typed once there is something on the terminal; ^C is an interrupt,
// and a line that begins with ! is a command that is run elsewhere at that moment.
// What was on the terminal is the standard output: pty CODE FILE COMMAND…
func onTerminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: pty CODE FILE COMMAND…")
	}
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "TERM=xterm", "GORACE="+noSleep)
	for _, name := range []string{"HOME", "RUNNEL_DB", "RUNNEL_SERVER", "NO_COLOR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 120})
	ts.Check(err)
	defer tty.Close()
	typed := strings.ReplaceAll(ts.ReadFile(args[1]), "^C\n", "\x03")
	var shown []byte
	part := make([]byte, 4096)
	for {
		n, err := tty.Read(part)
		shown = append(shown, part[:n]...)
		if err != nil { // the other end is closed
			break
		}
		if command, ok := strings.CutPrefix(typed, "!"); ok {
			words := strings.Fields(command)
			ts.Check(ts.Exec(words[0], words[1:]...))
		} else if typed != "" {
			_, err := tty.WriteString(typed)
			ts.Check(err)
		}
		typed = ""
	}
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); ok {
		code = exit.ExitCode()
	}
	text := strings.ReplaceAll(string(shown), "\r\n", "\n")
	ts.Logf("%s", text)
	_, _ = ts.Stdout().Write([]byte(text))
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s exits with %d, want %s", strings.Join(args[2:], " "), code, args[0])
	}
}
