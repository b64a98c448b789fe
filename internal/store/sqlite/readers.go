package sqlite

import (
	"context"
	"errors"
	"sync"

	"zombiezen.com/go/sqlite"
)

// readers are the connections that read. A pool of the driver starts a goroutine and
// makes a context each time that one is taken, which takes as long as to look up a row;
// here that is done once for a connection, and again only when it was interrupted.
type readers struct {
	all    []*reader
	free   chan *reader
	closed chan struct{}
}

// reader is one connection.
type reader struct {
	conn *sqlite.Conn

	mu        sync.Mutex
	interrupt chan struct{} // closed to interrupt what it does
	halted    bool
}

func openReaders(path string, n int) (_ *readers, err error) {
	p := &readers{free: make(chan *reader, n), closed: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	for range n {
		conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
		if err != nil {
			return nil, err
		}
		r := &reader{conn: conn}
		r.renew()
		p.all = append(p.all, r)
		p.free <- r
		if err := prepareReader(conn); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// errClosed is the error of a take once the readers are closed.
var errClosed = errors.New("the readers are closed")

// take gives a connection, whose statements are interrupted when ctx ends. Done gives
// it back.
func (p *readers) take(ctx context.Context) (conn *sqlite.Conn, done func(), err error) {
	if ctx.Err() != nil { // with one that is free, select would give either
		return nil, nil, context.Cause(ctx)
	}
	var r *reader
	select {
	case r = <-p.free:
	case <-p.closed:
		return nil, nil, errClosed
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	stop := context.AfterFunc(ctx, r.halter())
	return r.conn, func() {
		if !stop() {
			r.renew()
		}
		p.free <- r
	}, nil
}

// halter gives what interrupts the connection, until it is renewed.
func (r *reader) halter() func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.interrupt
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.halted && r.interrupt == of {
			r.halted = true
			close(of)
		}
	}
}

// renew lets it be used again.
func (r *reader) renew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupt, r.halted = make(chan struct{}), false
	r.conn.SetInterrupt(r.interrupt)
}

// Close interrupts what is being read, and closes all once that has ended.
func (p *readers) Close() error {
	close(p.closed)
	for _, r := range p.all {
		r.halter()()
	}
	var problems []error
	for range p.all {
		r := <-p.free
		problems = append(problems, r.conn.Close())
	}
	return errors.Join(problems...)
}
