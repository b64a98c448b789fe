package cli

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
)

func newExportCmd(env *Env) *cobra.Command {
	var zip bool
	c := &cobra.Command{
		Use: "export FILE", Short: "Write all that a database holds to a file, as of one moment", Args: exactly("FILE"),
		Long: `Write all that a database holds to a file, as of one moment: runs that have ended and
that have not, their logs, large values, limits, schedules, kept results, tokens. A
server may have it open, and goes on.

The file is lines of JSON, a row a line, in gzip if its name ends in .gz or with
--gzip; - is the standard output. runnel db import fills a database of the same kind
or the other with it. Whoever has the file has all of that, so keep it as you keep
the database.`,
		Example: "  runnel db export backup.jsonl.gz\n  runnel db export - --db sqlite:flows.db | runnel db import - --db postgres://localhost/flows",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := env.database()
			if err != nil {
				return err
			}
			var rows map[string]int64
			err = env.toFile(args[0], zip || strings.HasSuffix(args[0], ".gz"), func(w io.Writer) error {
				rows, err = d.Export(cmd.Context(), w)
				return err
			})
			if err != nil || args[0] == "-" {
				return err
			}
			return env.moved("exported", args[0], rows)
		},
	}
	c.Flags().BoolVar(&zip, "gzip", false, "write it in gzip")
	return c
}

// toFile has f write a file, which is there once all of it is.
func (env *Env) toFile(name string, zip bool, f func(io.Writer) error) (err error) {
	if name == "-" {
		return zipped(env.Out, zip, f)
	}
	if _, err := os.Stat(name); err == nil {
		if err := env.confirm(name+" is there: replace it?", true); err != nil {
			return err
		}
	}
	part, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return usagef("%w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part.Name()) // it may be gone
		}
	}()
	err = zipped(part, zip, f)
	if err == nil {
		err = part.Sync()
	}
	if err = errors.Join(err, part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), name)
}

func zipped(w io.Writer, zip bool, f func(io.Writer) error) error {
	if !zip {
		return f(w)
	}
	z := gzip.NewWriter(w)
	if err := f(z); err != nil {
		return err
	}
	return z.Close()
}

func newImportCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Fill an empty database with what an export holds", Args: exactly("FILE"),
		Long: `Fill an empty database with what runnel db export wrote, from whichever kind of
database; - is the standard input. It is made if it is not there. One that holds
something is refused, and so is a file that was cut off, was changed or is of another
version: then nothing was done. Runs that had not ended go on once a program with
their tasks opens the database, under the same ids, numbers and idempotency keys:
so end the programs of the old one first, or bodies run twice.`,
		Example: "  runnel db import backup.jsonl.gz --db postgres://localhost/flows",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := env.database()
			if err != nil {
				return err
			}
			in := env.In
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if errors.Is(err, fs.ErrNotExist) {
					return api.Errorf(api.ErrNotFound, "", "there is no file %s", args[0])
				}
				if err != nil {
					return usagef("%w", err)
				}
				defer f.Close()
				in = f
			}
			rows, err := d.Import(cmd.Context(), in)
			if err != nil {
				return hinted(err, "nothing was imported")
			}
			return env.moved("imported", args[0], rows)
		},
	}
}

// moved says what was written to a file, or read from it.
func (env *Env) moved(done, file string, rows map[string]int64) error {
	var all int64
	for _, n := range rows {
		all += n
	}
	raw, err := json.Marshal(map[string]any{"file": file, "rows": rows})
	if err != nil {
		return err
	}
	p := &env.printer
	if !p.people() {
		return p.one(raw, file, nil)
	}
	env.say("%s %s runs, %s task runs and %s lines of logs, in %s rows", done, p.number(rows["run"]), p.number(rows["task"]), p.number(rows["log"]), cmp.Or(p.number(all), "no"))
	return nil
}
