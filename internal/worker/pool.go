package worker

import (
	"context"
	"sync"

	"github.com/runnel-dev/runnel/api"
)

// DefaultConcurrency is how many bodies a pool runs at the same time unless
// told otherwise.
const DefaultConcurrency = 256

// Pool runs jobs of one claimer with goroutines of its own. One more is started
// whenever all are busy, so an idle pool has one.
type Pool struct {
	registry *Registry
	claimer  Claimer
	teller   *Teller
	limit    int
	claims   context.Context //nolint:containedctx // it ends with the pool, not with a call.
	stop     context.CancelFunc

	mu      sync.Mutex
	running int           // goroutines
	busy    int           // of them, those with a job
	flows   int           // flows in progress, each on a goroutine of its own
	idle    chan struct{} // closed when the last goroutine has ended
}

// Start makes a pool of at most limit goroutines (0: DefaultConcurrency) that
// claims from src until Stop. Teller may be nil; while it has too much to do,
// nothing more is claimed.
func Start(r *Registry, src Claimer, limit int, teller *Teller) *Pool {
	if limit <= 0 {
		limit = DefaultConcurrency
	}
	p := &Pool{registry: r, claimer: src, teller: teller, limit: limit, running: 1, idle: make(chan struct{})}
	p.claims, p.stop = context.WithCancel(context.Background()) //nolint:forbidigo // it ends by Stop
	go p.loop()
	return p
}

// Stop ends the claiming and waits for the bodies in progress, and the hooks that
// the teller calls, until ctx ends; then its error is returned, the bodies go on
// and the hooks' contexts end.
func (p *Pool) Stop(ctx context.Context) error {
	p.stop()
	var err error
	select {
	case <-p.idle:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if late := p.teller.stop(ctx); err == nil {
		err = late
	}
	return err
}

// loop claims and runs jobs, one after the other. A body that calls
// runtime.Goexit ends it; another takes its place.
func (p *Pool) loop() {
	var job *api.Job
	defer func() {
		p.ended(job != nil)
	}()
	for {
		p.teller.throttle(p.claims)
		next, source, err := p.claimer.Claim(p.claims)
		if err != nil {
			return
		}
		if p.registry.flow(next.Task) {
			p.flow(source, next)
			continue
		}
		job = next
		p.begun()
		p.registry.Execute(source, job)
		job = nil
		p.mu.Lock()
		p.busy--
		p.mu.Unlock()
	}
}

// begun counts a job, and starts another goroutine if nobody is left to claim.
func (p *Pool) begun() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy++
	if p.busy == p.running && p.running < p.limit && p.claims.Err() == nil {
		p.running++
		go p.loop()
	}
}

// ended counts a goroutine out. If it died in a job it is replaced.
func (p *Pool) ended(inJob bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	if inJob {
		p.busy--
		if p.claims.Err() == nil {
			p.running++
			go p.loop()
		}
	}
	p.over()
}

// flow runs a flow beside the pool's goroutines, since it mostly waits.
func (p *Pool) flow(source Source, job *api.Job) {
	p.mu.Lock()
	p.flows++
	p.mu.Unlock()
	go func() {
		defer func() {
			p.mu.Lock()
			p.flows--
			p.over()
			p.mu.Unlock()
		}()
		p.registry.Execute(source, job)
	}()
}

// over says that nothing is in progress any more. Called with mu.
func (p *Pool) over() {
	if p.running+p.flows == 0 {
		close(p.idle)
	}
}
