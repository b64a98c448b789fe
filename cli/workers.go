package cli

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
)

func newQueueCmd(env *Env) *cobra.Command {
	return group("queue", "Queues of tasks", []string{"queues"}, newRowsCmd(env, queueTable, "List queues", "/queues"),
		&cobra.Command{
			Use: "show NAME", Short: "Show what is to do in a queue", Args: exactly("NAME"),
			RunE: func(cmd *cobra.Command, args []string) error {
				c, err := env.connect(cmd.Context(), look)
				if err != nil {
					return err
				}
				q, raw, err := read[api.Queue](cmd.Context(), c, at("/queues/%", args[0]), nil)
				if err != nil {
					return missing(cmd.Context(), c, "queue", args[0], err)
				}
				return env.printer.one(raw, q.Name, func(f *facts) { env.showQueue(f, &q) })
			},
		},
		newStopCmd(env, "queues", stop{
			"pause NAME", "Have nothing more of a queue begin, in no process: what has begun goes on", "paused queue %q",
		}),
		newStopCmd(env, "queues", stop{"resume NAME", "Let a queue go on", "resumed queue %q"}))
}

func newWorkerCmd(env *Env) *cobra.Command {
	return group("worker", "Processes that work", []string{"workers"},
		newRowsCmd(env, workerTable, "List processes that work on the database", "/workers"),
		&cobra.Command{
			Use: "show ID", Short: "Show a process, with what it does", Args: exactly("ID"),
			RunE: func(cmd *cobra.Command, args []string) error {
				c, err := env.connect(cmd.Context(), look)
				if err != nil {
					return err
				}
				w, raw, err := read[api.Worker](cmd.Context(), c, at("/workers/%", args[0]), nil)
				if err != nil {
					return missing(cmd.Context(), c, "worker", args[0], err)
				}
				return env.printer.one(raw, w.ID, func(f *facts) { env.showWorker(f, &w) })
			},
		},
		newWorkerStartCmd(env),
		newStopCmd(env, "workers", stop{"drain ID", "Have a process take no new work: it finishes what it has", "worker %s takes no new work"}),
		newStopCmd(env, "workers", stop{"undrain ID", "Have a process take work again", "worker %s takes work"}))
}

// stop is a command that has something begin no more, or go on.
type stop struct{ use, short, done string }

func newStopCmd(env *Env, what string, s stop) *cobra.Command {
	var reason string
	verb, arg, _ := strings.Cut(s.use, " ")
	c := &cobra.Command{
		Use: s.use, Short: s.short, Args: exactly(arg),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			raw, _, err := send(cmd.Context(), c, http.MethodPost, at(what+"/%/"+verb, args[0]), because(reason), nil)
			if err != nil {
				return missing(cmd.Context(), c, strings.TrimSuffix(what, "s"), args[0], err)
			}
			if !env.printer.people() {
				return env.printer.one(raw, args[0], nil)
			}
			env.say(s.done, args[0])
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	return c
}

func (env *Env) showQueue(f *facts, q *api.Queue) {
	p := &env.printer
	f.line("queue", q.Name)
	f.line("ready", p.number(int64(q.Ready)))
	f.line("oldest", p.moment(q.Oldest))
	f.line("running", p.number(int64(q.Running)))
	f.line("workers", p.number(int64(q.Workers)))
	if f.line("paused", p.moment(q.Paused)); q.Workers == 0 {
		f.line("why", "no worker serves it")
	}
}

func (env *Env) showWorker(f *facts, w *api.Worker) {
	p := &env.printer
	f.line("worker", w.Name)
	f.line("id", w.ID)
	f.line("state", workerState(w))
	f.line("since", p.moment(w.Since))
	f.line("seen", p.moment(w.Seen))
	f.line("busy", strconv.Itoa(w.Busy)+" of "+strconv.Itoa(w.Concurrency))
	f.line("flows", p.number(int64(w.Flows)))
	queues := strings.Join(w.Queues, ", ")
	if w.All {
		queues = "all"
	}
	f.line("queues", queues)
	f.line("tasks", strings.Join(w.Tasks, ", "))
	var rows [][]string
	for i := range w.Current {
		t := &w.Current[i]
		rows = append(rows, []string{t.Task, t.ID, "attempt " + strconv.Itoa(t.Attempt), p.moment(t.Started)})
	}
	f.part("does", nil, rows)
	rows = nil
	for i := range w.Recent[:min(len(w.Recent), shownRecent)] {
		t, why := &w.Recent[i], ""
		if t.Failure != nil {
			why, _, _ = strings.Cut(t.Failure.Error(), "\n")
		}
		rows = append(rows, []string{p.state(t.State), t.Task, t.ID, p.moment(t.Finished), p.took(t.Started, t.Finished), why})
	}
	f.part("did last", nil, rows)
}

// shownRecent is how many of the last task runs of a worker are shown; in JSON are all.
const shownRecent = 20

func workerState(w *api.Worker) string {
	switch {
	case w.Silent:
		return "silent"
	case w.Draining:
		return "draining"
	}
	return "active"
}
