package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel"
)

// hired is the flags of worker start.
type hired struct {
	queues      []string
	concurrency int
	drain       time.Duration
}

func newWorkerStartCmd(env *Env) *cobra.Command {
	var h hired
	c := &cobra.Command{
		Use: "start", Short: "Run the tasks of this program, for a server or a database, and serve nothing", Args: none,
		Long: `Run the tasks of this program, for a server or a database, and serve nothing.

For a server (--server URL) it needs no database, and runs plain tasks: flows want a
process that has the database. For a database it runs all of them, beside the other
processes if that is PostgreSQL; a SQLite file only one process can have open, so
runnel server --workers N is mostly what is wanted there.

SIGTERM or an interrupt ends it: no body begins any more, and those that run are
waited for, as long as --drain says. What has not ended by then runs again elsewhere.`,
		Example: "  runnel worker start --server https://runnel.example.com --queue gpu --concurrency 4\n  runnel worker start --db postgres://localhost/flows",
		RunE:    func(cmd *cobra.Command, _ []string) error { return env.work(cmd.Context(), &h) },
	}
	c.Flags().StringSliceVar(&h.queues, "queue", nil, "`names` of the queues to serve; default as the program says, and else all")
	c.Flags().IntVar(&h.concurrency, "concurrency", 0, "how many bodies run at a time; default as the program says")
	c.Flags().DurationVar(&h.drain, "drain", 30*time.Second, "how long to wait for bodies at the end")
	return c
}

func (env *Env) work(ctx context.Context, h *hired) error {
	at, err := env.place()
	if err != nil {
		return err
	}
	if h.concurrency < 0 {
		return usagef("--concurrency %d: want 1 or more", h.concurrency)
	}
	if strings.HasPrefix(at.DB, "memory:") {
		return usagef("a database in memory is this process's own, so nobody could give it work (%s)", at.from)
	}
	var opts []runnel.OpenOption
	if len(h.queues) > 0 {
		opts = append(opts, runnel.Queues(h.queues...))
	}
	if h.concurrency > 0 {
		opts = append(opts, runnel.Concurrency(h.concurrency))
	}
	if at.Server != "" && at.Token != "" {
		opts = append(opts, runnel.BearerToken(at.Token))
	}
	if len(env.Options) == 0 && !env.flags.builtin {
		return hinted(usagef("this program has no tasks to run"), "use the program that registers the tasks: one with cli.Main(runnel.Register(…)); or take --builtin")
	}
	eng, err := env.open(ctx, cmp.Or(at.Server, at.DB), hire, opts...)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "working for %s with %d tasks\n", cmp.Or(at.Server, shown(at.DB), "a database"), len(eng.Tasks()))
	if !env.flags.quiet && alone(at.DB) {
		env.note("nobody else can open it meanwhile, to submit or to look: runnel server --workers N serves it as well")
	}
	<-ctx.Done()
	env.note("draining; once more ends it at once")
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.drain)
	defer cancel()
	err = eng.Close(rest)
	if errors.Is(err, context.DeadlineExceeded) {
		env.note("bodies that did not end in %s run again", h.drain)
		return nil
	}
	return err
}
