package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newCacheCmd(env *Env) *cobra.Command {
	return group("cache", "Kept results", nil, newCacheLsCmd(env), newCacheShowCmd(env), newCacheRmCmd(env), newCacheExplainCmd(env))
}

var cacheTable = table[api.CacheEntry]{
	id: func(e *api.CacheEntry) string { return e.Key }, empty: "no kept results",
	columns: []column[api.CacheEntry]{
		{name: "KEY", value: func(_ *printer, e *api.CacheEntry) string { return e.Key }},
		{name: "TASK", value: func(_ *printer, e *api.CacheEntry) string { return e.Task }},
		{name: "MADE BY", value: func(_ *printer, e *api.CacheEntry) string { return e.TaskRun }},
		{name: "SIZE", right: true, value: func(p *printer, e *api.CacheEntry) string { return p.bytes(e.Size) }},
		{name: "CREATED", value: func(p *printer, e *api.CacheEntry) string { return p.moment(e.Created) }},
		{name: "EXPIRES", value: func(p *printer, e *api.CacheEntry) string { return p.moment(e.Expires) }},
	},
}

// kept is the flags that choose kept results.
type kept struct{ prefix, task, before string }

func (k *kept) flags(c *cobra.Command) {
	c.Flags().StringVar(&k.prefix, "prefix", "", "whose key begins with this `text`")
	c.Flags().StringVar(&k.task, "task", "", "that a task of this `name` made")
	c.Flags().StringVar(&k.before, "before", "", "made before this `time`, such as 24h or 2026-11-01")
}

func (k *kept) query(env *Env) (url.Values, error) {
	before, err := env.moment(k.before)
	q := url.Values{}
	setIf(q, "prefix", k.prefix)
	setIf(q, "task", k.task)
	setTime(q, "before", before)
	return q, err
}

func newCacheLsCmd(env *Env) *cobra.Command {
	var k kept
	var limit int
	c := &cobra.Command{
		Use: "ls", Short: "List kept results", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := k.query(env)
			if err != nil {
				return err
			}
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			return printList(env, cacheTable, httpapi.Pages[json.RawMessage](cmd.Context(), c, "/cache", q, limit))
		},
	}
	k.flags(c)
	c.Flags().IntVar(&limit, "limit", 50, "how many at most; 0: all")
	return c
}

func newCacheShowCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "show KEY", Short: "Show a kept result", Args: exactly("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			e, raw, err := read[api.CacheEntry](cmd.Context(), c, at("/cache/%", args[0]), nil)
			if err != nil {
				return hinted(err, "see: runnel cache ls")
			}
			p := &env.printer
			return p.one(raw, e.Key, func(f *facts) {
				f.line("key", e.Key)
				f.line("task", e.Task)
				f.line("made by", e.TaskRun)
				f.line("created", p.moment(e.Created))
				f.line("expires", p.moment(e.Expires))
				f.line("size", p.bytes(e.Size))
				f.line("result", cut(string(e.Result), 1000))
				var parts [][]string
				for _, part := range e.Parts {
					parts = append(parts, []string{part.Name, part.Value})
				}
				f.part("key is made of", nil, parts)
			})
		},
	}
}

func newCacheRmCmd(env *Env) *cobra.Command {
	var k kept
	var all bool
	c := &cobra.Command{
		Use: "rm KEY… | --prefix TEXT … | --all", Short: "Delete kept results",
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := k.query(env)
			if err != nil {
				return err
			}
			if (len(args) == 0) == (len(q) == 0 && !all) {
				return usagef("which results? Give KEY, or --prefix, --task, --before, or --all")
			}
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return env.removeChosen(cmd, c, q, all)
			}
			for _, key := range args {
				if err := c.Do(cmd.Context(), http.MethodDelete, at("/cache/%", key), nil, nil, nil); err != nil {
					return hinted(err, "see: runnel cache ls")
				}
			}
			env.say("deleted %d", len(args))
			return nil
		},
	}
	k.flags(c)
	c.Flags().BoolVar(&all, "all", false, "all of them")
	return c
}

func (env *Env) removeChosen(cmd *cobra.Command, c *httpapi.Client, q url.Values, all bool) error {
	n := 0
	for _, err := range httpapi.Pages[json.RawMessage](cmd.Context(), c, "/cache", q, 0) {
		if err != nil {
			return err
		}
		n++
	}
	if err := env.confirm(fmt.Sprintf("delete %d kept results?", n), true); err != nil {
		return err
	}
	q.Del("limit")
	q.Del("cursor")
	if all && len(q) == 0 {
		q.Set("all", "true")
	}
	var d httpapi.Deleted
	if err := c.Do(cmd.Context(), http.MethodDelete, "/cache", q, nil, &d); err != nil {
		return err
	}
	env.say("deleted %d", d.Deleted)
	return nil
}

func newCacheExplainCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "explain RUN/SEQ", Short: "Say why a task run took a kept result, or did not", Args: exactly("RUN/SEQ"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			path, err := taskPath(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			r, raw, err := read[api.CacheReport](cmd.Context(), c, path+"/cache", nil)
			if err != nil {
				return err
			}
			return env.printer.one(raw, r.Key, func(f *facts) {
				f.line("why", r.Why)
				f.line("key", r.Key)
				f.line("taken from", r.From)
				if r.Nearest != nil {
					f.line("nearest", r.Nearest.Key)
				}
				var rows [][]string
				for _, d := range r.Differs {
					rows = append(rows, []string{d.Name, d.Run, d.Entry})
				}
				f.part("differs", []string{"PART", "HERE", "THERE"}, rows)
			})
		},
	}
}
