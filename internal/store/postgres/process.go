package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Each process that has the store open has a row in the table process and shows
// in it that it lives. One that does not for as long as the lease is given up:
// its row says dead, and its writers' rows have no session any more. Whatever it
// commits changes its writer's row, or locks its own, so it counts either before
// that or not at all.
//
// For now a store belongs to one process at a time.

const minLease = 100 * time.Millisecond

// now is the database's clock in microseconds: only one clock is compared.
const now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

// process is this process as the database knows it.
type process struct {
	s    *Store
	id   int64
	conn *pgx.Conn // of the beat; nil: none at the moment
	done chan struct{}
}

// other is a process that has the store open, or had when it ended.
type other struct {
	id, beat, age int64
	name          string
}

// enter makes this process the one that has the store. It waits for as long as
// another one may live, and is refused as soon as that one shows that it does.
func (s *Store) enter(ctx context.Context, conn *pgx.Conn) (*process, error) {
	seen := map[int64]int64{} // beats at the first look
	for first := true; ; first = false {
		var id int64
		var wait time.Duration
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			others, err := s.others(ctx, tx)
			if err != nil {
				return err
			}
			for _, o := range others {
				if beat, known := seen[o.id]; !first && (!known || beat != o.beat) {
					return s.inUse(o)
				}
				seen[o.id] = o.beat
				wait = max(wait, s.lease-time.Duration(o.age)*time.Microsecond)
			}
			if wait > 0 {
				return nil
			}
			id, err = s.takeOver(ctx, tx, others)
			return err
		})
		switch {
		case err != nil:
			return nil, err
		case id != 0:
			return &process{s: s, id: id, done: make(chan struct{})}, nil
		}
		again := time.NewTimer(min(wait, s.lease/8))
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, ctx.Err()
		}
	}
}

// others reads the processes that are not given up. Who opens the store at the
// same time waits here.
func (s *Store) others(ctx context.Context, tx pgx.Tx) ([]other, error) {
	var turn int64
	if err := tx.QueryRow(ctx, s.sql("SELECT value FROM @.counter WHERE name = 'process' FOR UPDATE")).Scan(&turn); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, s.sql("SELECT id, beat, "+now+" - beat, name FROM @.process WHERE NOT dead"))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (o other, err error) {
		return o, row.Scan(&o.id, &o.beat, &o.age, &o.name)
	})
}

// takeOver gives the others up, which waits for what they are committing, and
// enters this process in their place.
func (s *Store) takeOver(ctx context.Context, tx pgx.Tx, others []other) (id int64, err error) {
	ids := make([]int64, 0, len(others))
	for _, o := range others {
		s.log.Warn("runnel: takes the work of a process that gave no sign of life", "store", s.location, "process", o.id, "name", o.name)
		ids = append(ids, o.id)
	}
	err = tx.QueryRow(ctx, s.sql("UPDATE @.counter SET value = value + 1 WHERE name = 'process' RETURNING value - 1")).Scan(&id)
	if err != nil {
		return 0, err
	}
	for _, q := range []struct {
		text string
		args []any
	}{
		{"UPDATE @.writer SET session = 0 WHERE process = ANY($1)", []any{ids}},
		{"SELECT id FROM @.process WHERE id = ANY($1) FOR UPDATE", []any{ids}},
		{"UPDATE @.process SET dead = true WHERE id = ANY($1)", []any{ids}},
		{"INSERT INTO @.process (id, name, started, beat, dead) VALUES ($1, $2, " + now + ", " + now + ", false)", []any{id, hostAndPID()}},
		{"INSERT INTO @.writer (process, id, session, applied) VALUES ($1, 0, 1, 0)", []any{id}},
		{"UPDATE @.run SET owner = $1 WHERE state" + firstFinal("<") + " AND owner <> $1", []any{id}},
		// Rows of the dead are kept for those who look for a reason.
		{"DELETE FROM @.writer w USING @.process p WHERE p.id = w.process AND p.dead AND p.beat < " + now + " - 86400000000", nil},
		{"DELETE FROM @.process WHERE dead AND beat < " + now + " - 86400000000", nil},
	} {
		if _, err := tx.Exec(ctx, s.sql(q.text), q.args...); err != nil {
			return 0, err
		}
	}
	return id, nil
}

func hostAndPID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, pid %d", host, os.Getpid())
}

// inUse is the error of a store that another engine has open.
func (s *Store) inUse(o other) error {
	return api.Errorf(api.ErrStore, s.location, "is in use by another engine (%s); close that one, or choose another schema", o.name)
}

// start begins to show that the process lives.
func (p *process) start() {
	go func() {
		defer close(p.done)
		tick := time.NewTicker(p.s.lease / 4)
		defer tick.Stop()
		failed := false
		for {
			select {
			case <-p.s.ctx.Done():
				return
			case <-tick.C:
			}
			err := p.beat()
			switch {
			case errors.Is(err, store.ErrLost):
				p.s.log.Error("runnel: this process was given up", "store", p.s.location, "error", err)
				return
			case err != nil && p.s.ctx.Err() == nil && !failed:
				p.s.log.Warn("runnel: the database can't be told that this process lives", "store", p.s.location, "error", err)
			case err == nil && failed:
				p.s.log.Info("runnel: the database can be told again that this process lives", "store", p.s.location)
			}
			failed = err != nil
		}
	}()
}

// beat says that the process lives.
func (p *process) beat() error {
	ctx, cancel := context.WithTimeout(p.s.ctx, p.s.lease/4)
	defer cancel()
	if p.conn == nil {
		var err error
		if p.conn, err = p.s.connect(ctx); err != nil {
			return err
		}
	}
	tag, err := p.conn.Exec(ctx, p.s.sql("UPDATE @.process SET beat = "+now+" WHERE id = $1 AND NOT dead"), p.id)
	if err != nil {
		_ = p.conn.Close(ctx) // it is of no use any more
		p.conn = nil
		return err
	}
	if tag.RowsAffected() == 0 {
		return p.s.lost()
	}
	return nil
}

// leave removes the process, so that the next one need not wait. If the database
// can't be told, the next one waits for the lease.
func (p *process) leave() {
	<-p.done
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.s.ctx), min(p.s.lease, 5*time.Second))
	defer cancel()
	if p.conn == nil {
		var err error
		if p.conn, err = p.s.connect(ctx); err != nil {
			return
		}
	}
	defer p.conn.Close(ctx) //nolint:errcheck // it was the last that was sent
	// Not a process that was given up: its row says so.
	_, err := p.conn.Exec(ctx, p.s.sql(`WITH gone AS (DELETE FROM @.process WHERE id = $1 AND NOT dead RETURNING id)
		DELETE FROM @.writer w USING gone WHERE w.process = gone.id`), p.id)
	if err != nil {
		p.s.log.Warn("runnel: the database was not told that this process has ended; the next one waits for the lease", "store", p.s.location, "error", err)
	}
}
