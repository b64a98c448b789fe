package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// completeTime is how long the shell waits for names, unless Env says otherwise.
const completeTime = 300 * time.Millisecond

// completeNames completes with what a list has now. It is silent about whatever goes
// wrong.
func (env *Env) completeNames(list func(context.Context, *httpapi.Client) iter.Seq2[json.RawMessage, error], fields ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		const only = cobra.ShellCompDirectiveNoFileComp
		ctx, cancel := context.WithTimeout(cmd.Context(), cmp.Or(env.CompleteTime, completeTime))
		defer cancel()
		if env.prepare() != nil {
			return nil, only
		}
		c, err := env.connect(ctx, look)
		if err != nil {
			return nil, only
		}
		var names []string
		for raw, err := range list(ctx, c) {
			var f map[string]any
			if err != nil || json.Unmarshal(raw, &f) != nil {
				break
			}
			name, _ := f[fields[0]].(string)
			if !strings.HasPrefix(name, typed) {
				continue
			}
			for _, more := range fields[1:] {
				if text, ok := f[more].(string); ok {
					name += "\t" + text
				}
			}
			names = append(names, name)
		}
		return names, only
	}
}

func paged(path string) func(context.Context, *httpapi.Client) iter.Seq2[json.RawMessage, error] {
	return func(ctx context.Context, c *httpapi.Client) iter.Seq2[json.RawMessage, error] {
		return httpapi.Pages[json.RawMessage](ctx, c, path, nil, 100)
	}
}

func (env *Env) completeRuns(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, d := env.completeNames(paged("/runs"), "id", "name")(cmd, args, typed)
	for _, short := range []string{"@last", "@last-failed"} {
		if strings.HasPrefix(short, typed) {
			names = append(names, short)
		}
	}
	return names, d
}

func (env *Env) completeTags(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return env.completeNames(paged("/limits"), "tag")(cmd, args, typed)
}

func (env *Env) completeGlobals(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return env.completeNames(paged("/global-limits"), "name")(cmd, args, typed)
}

func (env *Env) completeSchedules(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return env.completeNames(paged("/schedules"), "name")(cmd, args, typed)
}

// completeFilter completes a filter of runs or of tasks: its fields, and their values.
func (env *Env) completeFilter(target string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		words, only := env.completeNames(func(ctx context.Context, c *httpapi.Client) iter.Seq2[json.RawMessage, error] {
			return func(yield func(json.RawMessage, error) bool) {
				var s httpapi.Suggestions
				err := c.Do(ctx, http.MethodGet, "/suggest", url.Values{"target": {target}, "q": {typed}}, nil, &s)
				for _, item := range s.Items {
					item.Text = typed[:s.Begin] + item.Text
					raw, wrong := json.Marshal(item)
					if err != nil || !yield(raw, wrong) {
						return
					}
				}
			}
		}, "text", "doc")(cmd, args, typed)
		return words, only | cobra.ShellCompDirectiveNoSpace
	}
}

// completeFlow completes the first argument; those after it are the flow's.
func (env *Env) completeFlow(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return env.completeNames(func(ctx context.Context, c *httpapi.Client) iter.Seq2[json.RawMessage, error] {
		return whole(ctx, c, "/flows")
	}, "name", "description")(cmd, args, typed)
}
