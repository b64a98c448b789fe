package runnel

import (
	"errors"
	"log/slog"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/spans"
	"github.com/runnel-dev/runnel/internal/worker"
)

// OpenOption is an option of [Open].
type OpenOption interface{ open(*opening) error }

// opening is what the options of Open say.
type opening struct {
	declared    map[string]*declaration
	work        *worker.Registry
	concurrency int
	retention   time.Duration
	queues      []string // nil: all
	token       string   // for a server
	works       bool     // also where that is elsewhere
	spans       *spans.Maker
}

type openOption func(*opening) error

func (o openOption) open(cfg *opening) error { return o(cfg) }

// registry gives the signatures of the registered tasks, made once.
func (cfg *opening) registry() pipeline.Registry {
	signatures := make(map[string]*pipeline.Signature, len(cfg.declared))
	for name, d := range cfg.declared {
		signatures[name] = d.signature()
	}
	return func(task string) *pipeline.Signature { return signatures[task] }
}

// Register names the tasks that the engine can run, and the kill switches of
// one's own ([CountSwitch]) that groups may have. A name registered twice is
// an error, and so is a task with something wrong in its making.
func Register(tasks ...AnyTask) OpenOption {
	return openOption(func(cfg *opening) error {
		var problems []error
		for _, t := range tasks {
			problems = append(problems, cfg.register(t))
		}
		return errors.Join(problems...)
	})
}

func (cfg *opening) register(t AnyTask) error {
	if t == nil {
		return api.Errorf(ErrInvalid, "", "Register: a task is nil")
	}
	if err := t.Err(); err != nil {
		return err
	}
	d := t.declared()
	if k, ok := t.(KillSwitch); ok {
		return cfg.registerSwitch(k, d)
	}
	if d.work.Run == nil {
		return api.Errorf(ErrInvalid, "", "task %q is a reference: register the task that it refers to", d.name)
	}
	if cfg.declared[d.name] != nil && cfg.declared[d.name].trips != nil {
		return api.Errorf(ErrInvalid, "", "%q is registered twice", d.name)
	}
	if err := cfg.work.Add(&d.work); err != nil {
		return err
	}
	cfg.declared[d.name] = d
	return nil
}

// registerSwitch takes a kill switch of the user's: tasks and switches have names
// of their own.
func (cfg *opening) registerSwitch(k KillSwitch, d *declaration) error {
	switch {
	case d.trips == nil:
		return api.Errorf(ErrInvalid, "", "kill switch %q: only a CountSwitch is registered", d.name)
	case cfg.declared[d.name] != nil:
		return api.Errorf(ErrInvalid, "", "%q is registered twice", k.Name())
	}
	cfg.declared[d.name] = d
	return nil
}

// Errors gives an error of the user's a name, under which it is kept with
// failures: errors.Is finds it also in what comes out of the database. The name
// is what [RetryOn] takes.
func Errors(name string, err error) OpenOption {
	return openOption(func(cfg *opening) error {
		if name == "" || err == nil {
			return api.Errorf(ErrInvalid, "", "Errors wants a name and an error")
		}
		return cfg.work.Name(name, err)
	})
}

// Concurrency is how many bodies run at the same time. Default 256. With a server it
// has this process work for that, see [Open].
func Concurrency(n int) OpenOption {
	return openOption(func(cfg *opening) error {
		cfg.concurrency, cfg.works = n, true
		if n < 0 {
			return api.Errorf(ErrInvalid, "", "Concurrency(%d): want 0 for the default, or more", n)
		}
		return nil
	})
}

// defaultRetention is that of an engine that was opened without [Retention].
const defaultRetention = 30 * 24 * time.Hour

// Retention is for how long runs that have ended are kept. Older ones are
// removed with their task runs, results and log lines; to whoever asks for one
// it is [ErrNotFound] then. Runs that have not ended stay, however old they are,
// and so does the state of [Keyed]. Default: 30 days. 0 or less: for ever.
func Retention(d time.Duration) OpenOption {
	return openOption(func(cfg *opening) error {
		cfg.retention = d
		return nil
	})
}

// LogTo is where the engine writes what people who operate it should know.
// Default: slog.Default.
func LogTo(log *slog.Logger) OpenOption {
	return openOption(func(cfg *opening) error {
		if log != nil {
			cfg.work.Log = log
		}
		return nil
	})
}
