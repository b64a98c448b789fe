package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// starting is the flags of run start.
type starting struct {
	pairs             []string
	params, file      string
	tags              []string
	name, key, at     string
	wait, watch, logs bool
}

func newRunStartCmd(env *Env) *cobra.Command {
	var s starting
	c := &cobra.Command{
		Use: "start FLOW [ARG…] | --file FILE", Short: "Submit a run of a task or flow, or of a pipeline in a file",
		Long: `Submit a run of a task or flow, or of a pipeline in a file. It exists once this
returns. An ARG is JSON, or else text; for a parameter of type string it is
always text. -p builds an object, which is the last argument. --params reads
all arguments, an array, or the only one, anything else.

Exit code 10 says that the run failed, 11 that it was cancelled or crashed.`,
		Example: `  runnel run start report 2026-11-01 --wait
  runnel run start etl -p date=2026-11-01 -p full=true --watch
  runnel run start --file pipeline.yaml --key today`,
		ValidArgsFunction: env.completeFlow,
		RunE:              func(cmd *cobra.Command, args []string) error { return env.start(cmd.Context(), &s, args) },
	}
	f := c.Flags()
	f.StringArrayVarP(&s.pairs, "param", "p", nil, "`key=value` of an object that is an argument; the value is JSON, or else text")
	f.StringVar(&s.params, "params", "", "arguments as `JSON`, or a file of them, - for standard input")
	f.StringVar(&s.file, "file", "", "`file` of a pipeline as JSON or YAML, - for standard input; see docs/pipeline-json.md")
	f.StringSliceVar(&s.tags, "tag", nil, "`tags` beside those of the task or flow")
	f.StringVar(&s.name, "name", "", "the run's `name`")
	f.StringVar(&s.key, "key", "", "idempotency `key`: with the same one again there is one run")
	f.StringVar(&s.at, "at", "", "`time` before which it does not begin; a duration is from now")
	f.BoolVar(&s.wait, "wait", false, "wait for its end and print its result")
	f.BoolVar(&s.watch, "watch", false, "show how it goes until it ends")
	f.BoolVar(&s.logs, "logs", false, "print its log until it ends")
	c.MarkFlagsMutuallyExclusive("wait", "watch", "logs")
	c.MarkFlagsMutuallyExclusive("params", "param")
	return c
}

func (env *Env) start(ctx context.Context, s *starting, args []string) error {
	if (s.file == "") == (len(args) == 0) {
		return usagef("what is to be run? Give FLOW with its arguments, or --file")
	}
	why := change
	if s.wait || s.watch || s.logs {
		why = work
	}
	c, err := env.connect(ctx, why)
	if err != nil {
		return err
	}
	in, err := env.request(ctx, c, s, args)
	if err != nil {
		return err
	}
	header := http.Header{}
	if s.key != "" {
		header.Set("Idempotency-Key", s.key)
	}
	raw, _, err := send(ctx, c, http.MethodPost, "runs", header, in)
	if errors.Is(err, api.ErrUnknownTask) {
		return missing(ctx, c, "flow", in.Task, err)
	}
	if err != nil {
		return err
	}
	var r api.Run
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	switch {
	case s.wait:
		env.note("run %s", r.ID)
		return env.await(ctx, c, r.ID)
	case s.watch:
		return env.watch(ctx, c, r.ID, watchEvery, true)
	case s.logs:
		env.note("run %s", r.ID)
		if err := env.logs(ctx, c, at("runs/%/logs", r.ID), logsAsked{follow: true}); err != nil {
			return err
		}
		run, err := c.Status(ctx, r.ID)
		if err != nil {
			return err
		}
		return runEnd(r.ID, run.State, run.Failure)
	case env.printer.people() && env.flags.quiet:
		_, err := io.WriteString(env.Out, r.ID+"\n")
		return err
	}
	return env.printer.one(raw, r.ID, func(f *facts) {
		f.line("run", r.Name)
		f.line("id", r.ID)
	})
}

// request makes what is submitted.
func (env *Env) request(ctx context.Context, c *httpapi.Client, s *starting, args []string) (*httpapi.SubmitRequest, error) {
	in := &httpapi.SubmitRequest{Name: s.name}
	if s.file != "" {
		if len(s.pairs) > 0 || s.params != "" || len(s.tags) > 0 || s.at != "" {
			return nil, usagef("with --file the pipeline says it all: -p, --params, --tag and --at belong to FLOW")
		}
		text, err := env.readFile(s.file)
		if err != nil {
			return nil, err
		}
		in.Pipeline, err = asJSON(text)
		if err != nil {
			return nil, usagef("--file %s: %w", s.file, err)
		}
		return in, nil
	}
	in.Task = args[0]
	var err error
	if in.Args, err = env.arguments(ctx, c, s, args); err != nil {
		return nil, err
	}
	var o api.Options
	if len(s.tags) > 0 {
		o.AddTags = slices.Compact(slices.Sorted(slices.Values(s.tags)))
	}
	if s.at != "" {
		if d, err := time.ParseDuration(s.at); err == nil {
			o.StartAt = env.Now().Add(d).UTC()
		} else if o.StartAt, err = env.moment(s.at); err != nil {
			return nil, err
		}
	}
	if !o.IsZero() {
		in.Options = &o
	}
	return in, nil
}

// arguments gives those of a task or flow.
func (env *Env) arguments(ctx context.Context, c *httpapi.Client, s *starting, args []string) ([]json.RawMessage, error) {
	if s.params != "" {
		if len(args) > 1 {
			return nil, usagef("give arguments, or --params, not both")
		}
		return env.paramsFile(s.params)
	}
	var kinds []string
	if len(args) > 1 { // the type of a parameter decides between 5 and "5"
		info, _, err := read[api.TaskInfo](ctx, c, at("/flows/%", args[0]), nil)
		if err != nil && !errors.Is(err, api.ErrNotFound) {
			return nil, err
		}
		kinds = info.Params
	}
	var out []json.RawMessage
	for i, text := range args[1:] {
		out = append(out, argument(text, i < len(kinds) && kinds[i] == "string"))
	}
	if len(s.pairs) == 0 {
		return out, nil
	}
	object := map[string]json.RawMessage{}
	for _, pair := range s.pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("-p %s: want key=value", pair)
		}
		object[key] = argument(value, false)
	}
	text, err := json.Marshal(object)
	return append(out, text), err
}

// argument makes JSON of what was typed.
func argument(text string, literal bool) json.RawMessage {
	if !literal && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, _ := json.Marshal(text) //nolint:errchkjson // strings can be
	return quoted
}

func (env *Env) paramsFile(name string) ([]json.RawMessage, error) {
	text, err := []byte(name), error(nil)
	if !strings.HasPrefix(name, "[") && !strings.HasPrefix(name, "{") { // it is not JSON already
		text, err = env.readFile(name)
	}
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	if !json.Valid(text) {
		return nil, usagef("--params %s: this is no JSON", name)
	}
	if text[0] != '[' {
		return []json.RawMessage{text}, nil
	}
	var list []json.RawMessage
	err = json.Unmarshal(text, &list)
	return list, err
}

// readFile reads a file, or standard input for "-".
func (env *Env) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(env.In)
	}
	text, err := os.ReadFile(name) //nolint:gosec // the user's own file
	if err != nil {
		return nil, usagef("%w", err)
	}
	return text, nil
}

// asJSON gives JSON as it is, and YAML as JSON.
func asJSON(text []byte) (json.RawMessage, error) {
	if trimmed := bytes.TrimSpace(text); json.Valid(trimmed) {
		return trimmed, nil
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}
