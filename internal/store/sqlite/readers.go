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
	conn   *sqlite.Conn
	anchor *sqlite.Stmt // see renew

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
		p.all = append(p.all, r)
		p.free <- r
		if err := prepareReader(conn); err != nil {
			return nil, err
		}
		if err := r.prepare(); err != nil {
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
			_ = r.renew() // without its anchor it reads as well
		}
		p.free <- r
	}, nil
}

func (r *reader) prepare() (err error) {
	r.anchor, _, err = r.conn.PrepareTransient("VALUES (1), (2)")
	if err != nil {
		return err
	}
	return r.renew()
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
//
// SQLite forgets an interrupt when a statement begins and no other is under way: one that
// comes just before the first step would be lost, and a query without end have none. So
// there is always another, which reads no table and holds no transaction.
func (r *reader) renew() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupt, r.halted = make(chan struct{}), false
	r.conn.SetInterrupt(r.interrupt)
	_ = r.anchor.Reset() // it says again that it was interrupted
	_, err := r.anchor.Step()
	return err
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
		if r.anchor != nil {
			problems = append(problems, r.anchor.Finalize())
		}
		problems = append(problems, r.conn.Close())
	}
	return errors.Join(problems...)
}
