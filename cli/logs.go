package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// logsAsked is the flags of run logs and task logs.
type logsAsked struct {
	follow, stamps     bool
	tail, attempt      int
	task               string
	level, grep, since string
}

func (a *logsAsked) flags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVarP(&a.follow, "follow", "f", false, "go on until the run has ended")
	f.IntVar(&a.tail, "tail", 0, "only the last so many lines")
	f.IntVar(&a.attempt, "attempt", 0, "of the attempt of this `number`, the first is 1; 0: of all")
	f.StringVar(&a.level, "level", "", "of this `level` or above: debug, info, warn, error")
	f.StringVar(&a.grep, "grep", "", "with this `text`")
	f.StringVar(&a.since, "since", "", "written at or after this `time`, such as 10m")
	f.BoolVar(&a.stamps, "timestamps", false, "put the time before each line")
	_ = c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

func (a *logsAsked) why() purpose {
	if a.follow {
		return work
	}
	return look
}

func newRunLogsCmd(env *Env) *cobra.Command {
	a := logsAsked{}
	c := &cobra.Command{
		Use: "logs RUN", Short: "Print what the bodies of a run wrote", Args: exactly("RUN"), ValidArgsFunction: env.completeRuns,
		Example: "  runnel run logs @last -f\n  runnel run logs @last --level warn --tail 20",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, id, err := env.run(cmd.Context(), a.why(), args[0])
			if err != nil {
				return err
			}
			return env.logs(cmd.Context(), c, at("runs/%/logs", id), a)
		},
	}
	a.flags(c)
	c.Flags().StringVar(&a.task, "task", "", "of this `task run`, by its number, or of those of a task, by name")
	return c
}

// logs prints lines. With follow and tail it prints the tail, and goes on after it.
func (env *Env) logs(ctx context.Context, c *httpapi.Client, path string, a logsAsked) error {
	q := url.Values{}
	setIf(q, "level", a.level)
	setIf(q, "contains", a.grep)
	since, err := env.moment(a.since)
	if err != nil {
		return err
	}
	setTime(q, "since", since)
	if _, wrong := strconv.ParseInt(a.task, 10, 64); wrong == nil {
		q.Set("task", a.task)
	} else {
		setIf(q, "name", a.task)
	}
	if a.attempt != 0 {
		q.Set("attempt", strconv.Itoa(a.attempt))
	}
	if a.tail > 0 {
		q.Set("tail", strconv.Itoa(a.tail))
		last, err := env.lines(ctx, c, path, q, a.stamps)
		if err != nil || !a.follow {
			return err
		}
		q.Del("tail")
		q.Set("from", strconv.FormatInt(last+1, 10))
	}
	if a.follow {
		q.Set("follow", "true")
	}
	_, err = env.lines(ctx, c, path, q, a.stamps)
	return err
}

// lines prints a stream of lines and gives the number of the last one.
func (env *Env) lines(ctx context.Context, c *httpapi.Client, path string, q url.Values, stamps bool) (last int64, err error) {
	resp, err := c.Raw(ctx, http.MethodGet, path+"?"+q.Encode(), nil, nil)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return 0, httpapi.ReadProblem(resp)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	for {
		text, err := in.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(text) == 0:
			return last, nil
		case err != nil && ctx.Err() != nil:
			return last, context.Cause(ctx)
		case err != nil:
			return last, api.Errorf(httpapi.ErrUnreachable, "", "the log ended in the middle: %w", err)
		}
		var wrong httpapi.Problem
		if json.Unmarshal(text, &wrong) == nil && wrong.Code != "" && wrong.Status != 0 {
			return last, &wrong
		}
		var l api.LogLine
		if err := json.Unmarshal(text, &l); err != nil {
			return last, err
		}
		last = l.Line
		if err := env.line(text, &l, stamps); err != nil {
			return last, err
		}
	}
}

// levels of lines that have a colour.
var levels = map[string]string{"WARN": "33", "ERROR": "31", "DEBUG": "90"}

func (env *Env) line(raw []byte, l *api.LogLine, stamps bool) error {
	p := &env.printer
	switch p.format {
	case "json", "jsonl", "csv":
		return p.json(raw, false)
	case "yaml":
		return p.yaml(raw)
	case "template":
		return p.template(raw)
	case "name":
		_, err := fmt.Fprintln(p.out, l.TaskRun)
		return err
	}
	_, seq, _ := strings.Cut(l.TaskRun, "/")
	head := fmt.Sprintf("%-5s %s/%s", l.Level, l.Task, seq)
	if l.Attempt > 1 {
		head += "#" + strconv.Itoa(l.Attempt)
	}
	if stamps {
		head = p.iso(l.Time) + " " + head
	}
	for text := range strings.Lines(cmp.Or(l.Text, "\n")) {
		if _, err := fmt.Fprintf(p.out, "%s  %s\n", p.paint(head, levels[l.Level]), oneLine(strings.TrimRight(text, "\n"))); err != nil {
			return err
		}
	}
	return nil
}
