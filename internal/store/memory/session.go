package memory

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// shared is what the sessions of a store have in common. Guarded by Store.mu.
type shared struct {
	last     int64 // session
	lastRun  int64 // given out by ReserveRuns
	letters  int64 // the last one's id
	sessions map[int64]*member
	duties   map[string]int64
}

// member is a session that lives.
type member struct {
	store.Member
	beat time.Time
	box  []store.Letter
	bell chan struct{}
}

// Session is one process's way into a store that it shares with others.
type Session struct {
	*Store
	name  string
	lease time.Duration
	now   func() time.Time
	bell  chan struct{}
	id    int64 // guarded by mu
}

var _ store.Shared = (*Session)(nil)

// Join begins a session, which lives as long as it beats within the lease by the
// clock. A store that is shared is not to be used but through sessions.
func (s *Store) Join(name string, lease time.Duration, now func() time.Time) *Session {
	p := &Session{Store: s, name: name, lease: lease, now: now, bell: make(chan struct{}, 1)}
	p.begin()
	return p
}

func (p *Session) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := &p.shared
	if x.sessions == nil {
		x.sessions, x.duties = make(map[int64]*member), make(map[string]int64)
	}
	x.last++
	p.id = x.last
	x.sessions[p.id] = &member{
		Member: store.Member{Session: p.id, Name: p.name, Started: p.now().UnixMicro()},
		beat:   p.now(), bell: p.bell,
	}
}

// alive gives the session's own record, if it was not given up. Called with mu.
func (p *Session) alive() (*member, error) {
	if m := p.shared.sessions[p.id]; m != nil {
		return m, nil
	}
	return nil, store.ErrLost
}

// Session is its number.
func (p *Session) Session() int64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.id
}

// Rejoin begins a new session in place of one that was given up.
func (p *Session) Rejoin(context.Context) error {
	p.begin()
	return nil
}

// Close ends the session: its runs are there for others at once.
func (p *Session) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared.end(p.id)
	return nil
}

func (x *shared) end(session int64) {
	delete(x.sessions, session)
	maps.DeleteFunc(x.duties, func(_ string, holder int64) bool { return holder == session })
}

// Beat renews the lease, and gives up those who did not renew theirs.
func (p *Session) Beat(_ context.Context, offer []byte) (live []store.Member, lost int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	me, err := p.alive()
	if err != nil {
		return nil, 0, err
	}
	me.beat, me.Offer = p.now(), bytes.Clone(offer)
	for _, id := range slices.Sorted(maps.Keys(p.shared.sessions)) {
		m := p.shared.sessions[id]
		if p.now().Sub(m.beat) > p.lease {
			p.shared.end(id)
			lost++
			continue
		}
		live = append(live, m.Member)
	}
	return live, lost, nil
}

// Orphans reads live runs whose session has ended.
func (p *Session) Orphans(_ context.Context, after int64, limit int) ([]store.RunRow, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	i, _ := slices.BinarySearch(p.order, after+1)
	var rows []store.RunRow
	for ; i < len(p.order) && len(rows) < limit; i++ {
		if r := p.runs[p.order[i]]; p.orphan(r) {
			rows = append(rows, r.copy())
		}
	}
	return rows, nil
}

func (s *Store) orphan(r *run) bool {
	return r != nil && !r.row.State.Final() && s.shared.sessions[r.owner] == nil
}

// Adopt makes orphans this session's.
func (p *Session) Adopt(_ context.Context, runs []int64) (adopted []int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.alive(); err != nil {
		return nil, err
	}
	for _, id := range runs {
		if r := p.runs[id]; p.orphan(r) {
			r.owner = p.id
			adopted = append(adopted, id)
		}
	}
	return adopted, nil
}

// Owner is the session that a live run belongs to.
func (p *Session) Owner(_ context.Context, id int64) (int64, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	r := p.runs[id]
	if r == nil {
		return 0, api.Errorf(api.ErrNotFound, "memory", "no run with number %d", id)
	}
	if r.row.State.Final() || p.shared.sessions[r.owner] == nil {
		return 0, nil
	}
	return r.owner, nil
}

// Hold takes a duty that nobody has, or lets it go.
func (p *Session) Hold(_ context.Context, duty string, want bool) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.alive(); err != nil {
		return 0, err
	}
	switch holder := p.shared.duties[duty]; {
	case want && holder == 0:
		p.shared.duties[duty] = p.id
	case !want && holder == p.id:
		delete(p.shared.duties, duty)
	}
	return p.shared.duties[duty], nil
}

// ReserveRuns gives out run numbers.
func (p *Session) ReserveRuns(ctx context.Context, n int64) (int64, error) {
	last, err := p.LastRun(ctx)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	first := max(last, p.shared.lastRun) + 1
	p.shared.lastRun = first + (n-1)*store.Lanes
	return first, nil
}

// Send puts letters into boxes.
func (p *Session) Send(_ context.Context, letters []store.Letter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.alive(); err != nil {
		return err
	}
	for _, l := range letters {
		to := p.shared.sessions[l.To]
		if to == nil {
			continue
		}
		p.shared.letters++
		to.box = append(to.box, store.Letter{ID: p.shared.letters, From: p.id, To: l.To, Body: bytes.Clone(l.Body)})
		select {
		case to.bell <- struct{}{}:
		default:
		}
	}
	return nil
}

// Receive reads the box, and takes out of it what came before.
func (p *Session) Receive(_ context.Context, done []int64, limit int) ([]store.Letter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	me, err := p.alive()
	if err != nil {
		return nil, err
	}
	me.box = slices.DeleteFunc(me.box, func(l store.Letter) bool { return slices.Contains(done, l.ID) })
	slices.SortFunc(me.box, func(a, b store.Letter) int { return cmp.Compare(a.ID, b.ID) })
	return slices.Clone(me.box[:min(limit, len(me.box))]), nil
}

// Bell rings when a letter came.
func (p *Session) Bell() <-chan struct{} { return p.bell }

// Commit applies a batch, unless the session was given up.
func (p *Session) Commit(_ context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.alive(); err != nil {
		return nil, err
	}
	return p.commit(batch, p.id)
}

// PutRecords is the store's, unless the session was given up.
func (p *Session) PutRecords(ctx context.Context, writes ...store.RecordWrite) error {
	return p.fenced(func() error { return p.Store.PutRecords(ctx, writes...) })
}

// PutBlob is the store's, unless the session was given up.
func (p *Session) PutBlob(ctx context.Context, run int64, r io.Reader) (b store.Blob, err error) {
	err = p.fenced(func() error {
		b, err = p.Store.PutBlob(ctx, run, r)
		return err
	})
	return b, err
}

// ReserveKeys is the store's, unless the session was given up.
func (p *Session) ReserveKeys(ctx context.Context, n int64) (first int64, err error) {
	err = p.fenced(func() error {
		first, err = p.Store.ReserveKeys(ctx, n)
		return err
	})
	return first, err
}

// fenced does what counts only if the session lives. It checks before: in memory
// nobody gives it up in between but between two steps of who drives all, or in a
// test, where what is written a moment late does no harm.
func (p *Session) fenced(do func() error) error {
	p.mu.RLock()
	_, err := p.alive()
	p.mu.RUnlock()
	if err != nil {
		return err
	}
	return do()
}
