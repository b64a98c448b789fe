package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/runnel-dev/runnel"
)

// Env is what a command line has around it. [Main] makes that of the process.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Now      func() time.Time
	Getenv   func(string) string
	// Options are those that an engine in this process is opened with.
	Options []runnel.OpenOption
	// CompleteTime is how long the shell waits for names. Default 300 ms.
	CompleteTime time.Duration

	flags   flags
	printer printer
	started bool // a command was found, and its flags are good
	closing []func() error
}

// flags are those that every command has.
type flags struct {
	server, db, context string
	output, color, time string
	columns             []string
	noHeaders, utc      bool
	quiet, verbose, yes bool
	builtin             bool
	timeout             time.Duration
	reason              string // of those commands that change something
}

// Main runs the command line of the process with the tasks of opts, and ends the
// process.
func Main(opts ...runnel.OpenOption) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // the program begins here
	context.AfterFunc(ctx, stop)                                                           // the second signal ends it at once
	env := &Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now, Getenv: os.Getenv, Options: opts}
	code := Run(ctx, env, os.Args[1:])
	stop()
	os.Exit(code) //nolint:forbidigo // and ends here
}

// Run runs one command and gives its exit code, which `help exit-codes` explains.
func Run(ctx context.Context, env *Env, args []string) int {
	env.flags, env.printer, env.started, env.closing = flags{}, printer{}, false, nil
	root := newRootCmd(env)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	for _, closer := range slices.Backward(env.closing) {
		if closed := closer(); err == nil {
			err = closed
		}
	}
	return env.report(ctx, cmd, err)
}

// terminal gives the file descriptor of a stream that is one.
func terminal(stream any) (fd int, ok bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// width is how many columns a terminal has; 0 for what is none.
func width(stream any) int {
	fd, ok := terminal(stream)
	if !ok {
		return 0
	}
	w, _, err := term.GetSize(fd)
	if err != nil {
		return 0
	}
	return w
}

// asks reports whether somebody is there to answer a question.
func (env *Env) asks() bool {
	_, in := terminal(env.In)
	_, out := terminal(env.Err)
	return in && out
}
