package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// TestRetryScripts plays the scripts of testdata/retry on each store. A script is the
// steps of a pipeline, and after a blank line:
//
//	bad a b      the bodies of these labels fail from now on, and no others
//	stop a       the body of this label cancels the run, once
//	run          submits it
//	retry W      retries it: failed, all, or from a label
//	refused W    that is refused
//	reopen       ends the engine and its store, and opens both again
//	> FAILED a b how the run ends that runs, and which bodies run until then, in the order of the alphabet
func TestRetryScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/retry/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	onStores(t, func(t *testing.T, open func() store.Store) {
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			steps, lines, ok := strings.Cut(string(text), "\n\n")
			if !ok {
				t.Fatalf("%s: no blank line", file)
			}
			s := &retryScript{t: t, file: file, steps: steps, open: open}
			s.play(strings.Split(strings.TrimSpace(lines), "\n"))
		}
	})
}

// retryScript is a script that plays.
type retryScript struct {
	t           *testing.T
	file, steps string
	open        func() store.Store
	r           *running
	run         string
	n           int

	mu   sync.Mutex
	bad  []string
	stop string
	ran  []string
	ids  map[string]string // by label: the task run that ran it last
}

func (s *retryScript) play(lines []string) {
	s.ids = map[string]string{}
	s.start()
	defer func() { s.r.close() }()
	for i, line := range lines {
		s.n = i
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		s.mu.Lock()
		do, args := words[0], words[1:]
		if do == "bad" {
			s.bad = args
		}
		if do == "stop" {
			s.stop = args[0]
		}
		s.mu.Unlock()
		switch do {
		case "bad", "stop":
		case "run":
			s.run = s.r.submit(s.steps).ID()
		case "retry":
			if err := s.retry(args); err != nil {
				s.t.Fatalf("%s: %s: %v", s.file, line, err)
			}
		case "refused":
			like(s.t, s.file+": "+line, s.retry(args), api.ErrConflict)
		case "reopen":
			s.r.close()
			s.start()
		case ">":
			s.ends(line)
		default:
			s.t.Fatalf("%s: what is %q?", s.file, line)
		}
	}
}

func (s *retryScript) retry(args []string) error {
	switch ctx := s.t.Context(); args[0] {
	case "failed":
		return s.r.Retry(ctx, s.run)
	case "all":
		return s.r.RetryAll(ctx, s.run)
	default:
		s.mu.Lock()
		id := s.ids[args[1]]
		s.mu.Unlock()
		return s.r.RetryFrom(ctx, id)
	}
}

func (s *retryScript) ends(line string) {
	h, err := s.r.Find(s.t.Context(), s.run)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := h.Wait(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.ran)
	got := strings.TrimSpace("> " + out.State.String() + " " + strings.Join(s.ran, " "))
	if got != line {
		s.t.Errorf("%s: got  %s\nwant %s\n(%v)", s.file, got, line, out.Failure)
	}
	s.ran = nil
}

func (s *retryScript) start() {
	s.r = start(s.t, s.open(), func(c *engine.Config) {
		c.Registry, c.Tasks = retrySignature, []string{"say", "then", "make", "take", "list"}
	})
	s.r.worksWith(s.body)
}

func retrySignature(task string) *pipeline.Signature {
	params := map[string]string{"say": "string", "then": "any string", "make": "string any", "take": "any string any", "list": "string any"}[task]
	if params == "" {
		return nil
	}
	return &pipeline.Signature{
		Name: task, Params: strings.Fields(params), Result: "any", Orchestrator: true,
		Check: func(int, []byte) error { return nil },
	}
}

// body gives its label, the list that it is given, or the pipeline.
func (s *retryScript) body(job *api.Job) api.Answer {
	args := job.Bound
	var label string
	if err := json.Unmarshal(args[0], &label); err != nil {
		return api.Answer{Failure: &api.Failure{Message: err.Error()}}
	}
	if job.Index >= 0 && strings.HasSuffix(label, "-") {
		label += fmt.Sprint(job.Index)
	}
	s.mu.Lock()
	s.ran = append(s.ran, label)
	s.ids[label] = job.ID
	bad, stop := slices.Contains(s.bad, label), s.stop == label
	if stop {
		s.stop = ""
	}
	s.mu.Unlock()
	if stop {
		if err := s.r.Cancel(s.t.Context(), job.Run); err != nil {
			s.t.Error(err)
		}
	}
	switch {
	case bad:
		return api.Answer{Failure: &api.Failure{Message: "bad " + label}}
	case job.Task == "make" || job.Task == "take":
		child, err := api.ParseSpec(args[1])
		if err != nil {
			return api.Answer{Failure: &api.Failure{Message: err.Error()}}
		}
		return api.Answer{Pipeline: child}
	case job.Task == "list":
		return api.Answer{Result: args[1]}
	}
	return api.Answer{Result: args[0]}
}

// worksWith has two workers do what a body does.
func (r *running) worksWith(body func(*api.Job) api.Answer) {
	ctx, stop := context.WithCancel(r.t.Context())
	r.stop = stop
	for range 2 {
		r.work.Go(func() {
			for {
				job, from, err := r.Claim(ctx)
				if err != nil {
					return
				}
				from.Begin(job, func(error) {})
				began := time.Now()
				a := body(job)
				a.Started, a.Ended = began, time.Now()
				from.Finish(job, a)
			}
		})
	}
}
