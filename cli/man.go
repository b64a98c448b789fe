package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newManCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "man FOLDER", Short: "Write manual pages, one a command, into a folder", Args: exactly("FOLDER"),
		Long: `Write manual pages, one a command, into a folder, which is made if it is not there.
Those of before are replaced. The variable SOURCE_DATE_EPOCH gives them a date.`,
		Example: "  runnel man /usr/local/share/man/man1\n  runnel man man && man -l man/runnel-run-start.1",
		RunE: func(cmd *cobra.Command, args []string) error {
			date := env.Now()
			if text := env.Getenv("SOURCE_DATE_EPOCH"); text != "" {
				seconds, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					return usagef("SOURCE_DATE_EPOCH %q: want seconds since 1970", text)
				}
				date = time.Unix(seconds, 0)
			}
			date = date.UTC()
			if err := os.MkdirAll(args[0], 0o750); err != nil {
				return usagef("%w", err)
			}
			root := cmd.Root()
			head := &doc.GenManHeader{Section: "1", Date: &date, Source: "Runnel " + httpapi.Version(), Manual: "Runnel"}
			if err := doc.GenManTree(root, head, args[0]); err != nil {
				return usagef("%w", err)
			}
			files, err := filepath.Glob(filepath.Join(args[0], root.Name()+"*.1"))
			if err != nil {
				return err
			}
			if !env.printer.people() {
				raw, err := json.Marshal(map[string]any{"folder": args[0], "pages": len(files)})
				if err != nil {
					return err
				}
				return env.printer.one(raw, args[0], nil)
			}
			env.say("%d pages in %s", len(files), args[0])
			return nil
		},
	}
}
