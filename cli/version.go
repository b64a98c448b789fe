package cli

import (
	"encoding/json"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// versions is what runnel version tells.
type versions struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	System  string `json:"system"`
}

func newVersionCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this program's Runnel", Args: none,
		RunE: func(*cobra.Command, []string) error {
			v := versions{Version: httpapi.Version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
			raw, err := json.Marshal(v)
			if err != nil {
				return err
			}
			return env.printer.one(raw, v.Version, func(f *facts) {
				f.line("runnel", v.Version)
				f.line("go", v.Go)
				f.line("system", v.System)
			})
		},
	}
}
