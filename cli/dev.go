package cli

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/internal/demo"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newDevCmd(env *Env) *cobra.Command {
	var s serving
	var shapes []string
	c := &cobra.Command{
		Use: "dev", Short: "Serve a database in memory, which ends with the server", Args: none,
		Long: `Serve a database in memory, which ends with the server. A program without tasks of
its own has those of --builtin, and those of a small shop to try things with.

--seed makes runs to look at before it says that it is ready:

` + demo.Shapes() + `
With zoo the queue gpu is served by nobody.`,
		Example: "  runnel dev --open\n  runnel dev --seed zoo --seed fanout:100000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			stock := len(env.Options) == 0
			env.flags.builtin = env.flags.builtin || stock
			if stock || len(shapes) > 0 {
				d, err := demo.New(shapes...)
				if err != nil {
					return usagef("--seed: %w", err)
				}
				s.demo = &seeding{Demo: d, shapes: shapes}
			}
			return env.serve(cmd.Context(), "memory:", &s)
		},
	}
	s.flags(c)
	c.Flags().StringSliceVar(&shapes, "seed", nil, "make `SHAPE:N`, such as fanout:1000 or zoo")
	_ = c.RegisterFlagCompletionFunc("seed", cobra.FixedCompletions(shapeNames(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}

func shapeNames() (names []string) {
	for line := range strings.Lines(demo.Shapes()) {
		name, short, _ := strings.Cut(strings.TrimSpace(line), " ")
		names = append(names, strings.TrimSuffix(name, "N")+"\t"+strings.TrimSpace(short))
	}
	return names
}

// seeding is what dev shows.
type seeding struct {
	*demo.Demo

	shapes []string
}

// run makes what was asked for, and says so.
func (s *seeding) run(ctx context.Context, env *Env, eng *runnel.Engine, handler http.Handler) error {
	if len(s.shapes) == 0 {
		return nil
	}
	began := env.Now()
	if err := s.Seed(ctx, eng); err != nil {
		return err
	}
	// Operations are the handler's, so it has to be asked for them.
	c, err := httpapi.NewClient("http://in.process", httpapi.ClientOptions{Transport: inProcess{handler}})
	if err != nil {
		return err
	}
	for _, body := range s.Operations() {
		if _, _, err := send(ctx, c, http.MethodPost, "operations", nil, body); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(env.Out, "seeded %s in %.1fs\n", strings.Join(s.shapes, ", "), env.Now().Sub(began).Seconds())
	return err
}

// openBrowser shows a page to whoever sits before this machine.
func openBrowser(ctx context.Context, url string) error {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	return exec.CommandContext(ctx, name, args...).Run() //nolint:gosec // the URL is that of this server
}
