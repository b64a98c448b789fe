package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newCacheCmd(env *Env) *cobra.Command {
	return group("cache", "Kept results", nil, newCacheLsCmd(env), newCacheShowCmd(env), newCacheRmCmd(env), newCacheExplainCmd(env), newCacheStatsCmd(env))
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
				if e.Took > 0 {
					f.line("took", span(time.Duration(e.Took)))
				}
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
	var s starting
	c := &cobra.Command{
		Use: "explain RUN/SEQ | TASK [ARG…]", Short: "Say why a task run took a kept result, or did not, or whether a call would", Args: atLeastOne("RUN/SEQ or TASK"),
		Long: `Say why a task run took a kept result, or did not; or, of a task and its arguments,
whether a call would take one, were it made now. If not, it says in which parts the
key differs from the nearest of what is kept. The key is made by the task's own code:
the server, or without one this program, must have the task.`,
		Example: `  runnel cache explain @last/3
  runnel cache explain rate EUR
  runnel cache explain rate --params '["EUR"]'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			var path string
			q := url.Values{}
			if taskRun.MatchString(args[0]) && len(args) == 1 {
				if path, err = taskPath(cmd.Context(), c, args[0]); err != nil {
					return err
				}
				path += "/cache"
			} else {
				path = at("/flows/%/cache", args[0])
				list, err := env.arguments(cmd.Context(), c, &s, args)
				if err != nil {
					return err
				}
				text, err := json.Marshal(list)
				if err != nil {
					return err
				}
				q.Set("args", string(text))
			}
			r, raw, err := read[api.CacheReport](cmd.Context(), c, path, q)
			if err != nil {
				return missing(cmd.Context(), c, "flow", args[0], err)
			}
			return env.printer.one(raw, r.Key, func(f *facts) { env.showReport(f, &r) })
		},
	}
	c.Flags().StringArrayVarP(&s.pairs, "param", "p", nil, "`key=value` of an object that is an argument")
	c.Flags().StringVar(&s.params, "params", "", "arguments as `JSON`, or a file of them, - for standard input")
	c.ValidArgsFunction = env.completeFlow
	return c
}

// taskRun is how task runs are named.
var taskRun = regexp.MustCompile(`^(@last|@last-failed|[0-9a-f-]{4,})/\d+$`)

func (env *Env) showReport(f *facts, r *api.CacheReport) {
	f.line("why", r.Why)
	f.line("key", r.Key)
	f.line("taken from", r.From)
	var parts, rows [][]string
	for _, part := range r.Parts {
		parts = append(parts, []string{part.Name, part.Value})
	}
	f.part("key is made of", nil, parts)
	if r.Nearest == nil {
		return
	}
	f.line("nearest", r.Nearest.Key)
	for _, d := range r.Differs {
		rows = append(rows, []string{d.Name, d.Run, d.Entry})
	}
	f.part("differs", []string{"PART", "HERE", "THERE"}, rows)
}

var cacheStatsTable = table[httpapi.CacheTaskStats]{
	id: func(s *httpapi.CacheTaskStats) string { return s.Task }, empty: "nothing is kept",
	columns: []column[httpapi.CacheTaskStats]{
		{name: "TASK", value: func(_ *printer, s *httpapi.CacheTaskStats) string { return s.Task }},
		{name: "ENTRIES", right: true, value: func(p *printer, s *httpapi.CacheTaskStats) string { return p.number(int64(s.Entries)) }},
		{name: "EXPIRED", right: true, wide: true, value: func(p *printer, s *httpapi.CacheTaskStats) string { return p.number(int64(s.Expired)) }},
		{name: "SIZE", right: true, value: func(p *printer, s *httpapi.CacheTaskStats) string { return p.bytes(s.Bytes) }},
		{name: "HITS", right: true, value: func(p *printer, s *httpapi.CacheTaskStats) string { return p.number(s.Hits) }},
		{name: "MISSES", right: true, value: func(p *printer, s *httpapi.CacheTaskStats) string { return p.number(s.Misses) }},
		{name: "SAVED", right: true, value: func(p *printer, s *httpapi.CacheTaskStats) string {
			return p.took(time.Time{}.Add(1), time.Time{}.Add(1+time.Duration(s.Saved)))
		}},
		{name: "OLDEST", value: func(p *printer, s *httpapi.CacheTaskStats) string { return p.moment(s.Oldest) }},
		{name: "NEWEST", wide: true, value: func(p *printer, s *httpapi.CacheTaskStats) string { return p.moment(s.Newest) }},
	},
}

func newCacheStatsCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "stats", Short: "Show how much is kept for which task, and how often it was taken", Args: none,
		Long: `Show how much is kept for which task, and how often it was taken since the server
began: hits are task runs that took a result, misses those whose bodies ran, and saved
is how long the bodies had taken whose results were taken.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			s, raw, err := read[httpapi.CacheStats](cmd.Context(), c, "/stats/cache", nil)
			if err != nil {
				return err
			}
			if p := &env.printer; p.format == "json" || p.format == "yaml" || p.format == "template" {
				return p.one(raw, "", nil)
			}
			t := cacheStatsTable
			t.footer = func() string {
				p := &env.printer
				return fmt.Sprintf("%s entries, %s; %s hits since %s", p.number(int64(s.Entries)), p.bytes(s.Bytes), p.number(s.Hits), p.moment(s.Since))
			}
			return printRows(env, t, s.Tasks)
		},
	}
}
