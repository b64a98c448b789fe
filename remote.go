package runnel

import (
	"context"
	"iter"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/httpapi"
	"github.com/runnel-dev/runnel/internal/spans"
)

// BearerToken is what the server at an http:// or https:// address is shown. It lets
// in who has it, so send it over https:// only, but for loopback.
func BearerToken(secret string) OpenOption {
	return openOption(func(cfg *opening) error {
		cfg.token = secret
		if secret == "" {
			return api.Errorf(ErrInvalid, "", "BearerToken: it is empty")
		}
		return nil
	})
}

// openRemote opens a server.
func openRemote(ctx context.Context, address string, cfg *opening) (*Engine, error) {
	if cfg.retention != defaultRetention {
		return nil, api.Errorf(ErrInvalid, "", "Retention is for an engine of this process; that at %s has its own", address)
	}
	c, err := httpapi.NewClient(address, httpapi.ClientOptions{Token: cfg.token, Transport: spans.Transport(transport())})
	if err != nil {
		return nil, err
	}
	if _, err := c.Server(ctx); err != nil {
		return nil, err
	}
	e := &Engine{remote: c, work: cfg.work, named: cfg.work.Errors(), declared: cfg.declared}
	if !cfg.works {
		return e, nil
	}
	return e, e.workFor(ctx, c, cfg)
}

func submitRemote[R any](ctx context.Context, e *Engine, spec *api.Spec, s *submission) (*Run[R], error) {
	sub := httpapi.Submission{Spec: spec, Name: s.name}
	if s.key != nil {
		sub.Key = *s.key
	}
	id, _, err := e.remote.Submit(ctx, sub)
	if err != nil {
		return nil, err
	}
	return newRun[R](e, engine.Elsewhere(id)), nil
}

// submitAllRemote submits one after the other.
func submitAllRemote[R any](ctx context.Context, e *Engine, specs iter.Seq2[*api.Spec, error], s *submission) ([]*Run[R], error) {
	var runs []*Run[R]
	for spec, err := range specs {
		if err != nil {
			return runs, err
		}
		run, err := submitRemote[R](ctx, e, spec, s)
		if err != nil {
			return runs, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// unserved refuses what a server can't do for another process.
func (e *Engine) unserved(what string) error {
	return api.Errorf(ErrInvalid, "", "%s: not through a server; open the database itself", what)
}

func outcomeFrom(o httpapi.Outcome) engine.Outcome {
	return engine.Outcome{State: o.State, Result: o.Result, Failure: o.Failure, FinalState: o.FinalState}
}

// healthTime is how long a server may take to say how it is.
const healthTime = 5 * time.Second

func (e *Engine) remoteHealth() api.Health {
	ctx, cancel := context.WithTimeout(context.Background(), healthTime) //nolint:forbidigo // Health has none, since it does not wait elsewhere
	defer cancel()
	return e.remote.Health(ctx)
}
