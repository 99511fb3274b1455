package tikv

import (
	"context"
	"fmt"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// request is a commit that waits for its turn.
type request struct {
	ctx    context.Context
	writes *kv.Writes
	size   int        // in bytes
	done   chan error // has room for the outcome
}

// MaxRow is how many bytes a key and its value have at most. TiKV takes no greater ones as it
// is configured by default.
const MaxRow = 5 << 20

// Commit implements kv.Store. Commits that come together share a transaction.
func (s *store) Commit(ctx context.Context, w *kv.Writes) error {
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	r := &request{ctx: ctx, writes: w, done: make(chan error, 1)}
	for _, p := range w.Puts {
		n := len(p.Key) + len(p.Value)
		if n > MaxRow {
			return fmt.Errorf("tikv: a row of %d bytes; %d are allowed", n, MaxRow)
		}
		r.size += n
	}
	select {
	case s.queue <- r:
		return <-r.done // if ctx ends it is withdrawn, unless it is under way, which the timeout bounds
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A transaction is shared by at most so many commits, and by no more when they have so many
// bytes.
const (
	maxGroup      = 128
	maxGroupBytes = 4 << 20
)

// commitQueued commits what is queued, one transaction after the other. What comes while one
// is under way goes into the next.
func (s *store) commitQueued() {
	var waiting []*request
	for {
		if len(waiting) == 0 {
			select {
			case r := <-s.queue:
				waiting = append(waiting, r)
			case <-s.life.Done():
				return
			}
		}
		waiting = s.commitGroup(s.addQueued(waiting))
	}
}

// addQueued adds those that wait already.
func (s *store) addQueued(waiting []*request) []*request {
	size := 0
	for _, r := range waiting {
		size += r.size
	}
	for len(waiting) < maxGroup && size < maxGroupBytes {
		select {
		case r := <-s.queue:
			waiting = append(waiting, r)
			size += r.size
		default:
			return waiting
		}
	}
	return waiting
}

// commitGroup commits requests in one transaction, and gives them their outcome. It returns
// those that have to follow in another, because they depend on what the others write.
func (s *store) commitGroup(requests []*request) (left []*request) {
	g := group{store: s, open: requests}
	err := s.transact(s.life, g.prepare)
	if g.gate {
		s.release(gateLease)
	}
	if err == nil && g.news {
		s.wakes.tell(storage.NewCommits)
	}
	if err != nil { // for those that were to follow, too: the cluster does not answer
		g.members, g.rest = g.open, nil
	}
	for _, r := range g.members {
		r.done <- err
	}
	return g.rest
}

// group is the requests of one transaction in the making.
type group struct {
	store *store
	open  []*request // without an outcome
	tries int
	gate  bool // others let this process go first

	// The rest is of one try.
	tx      *transaction
	members []*request // of open, those that are in the transaction
	rest    []*request // of open, those that have to follow
	values  map[string][]byte
	written map[string]bool // keys
	news    bool            // for other processes: entries of a feed
}

// patience is how often a group is overtaken before it asks the others to wait.
const patience = 3

// prepare writes what can be written together, and gives requests whose checks fail, or that
// were withdrawn, their outcome.
func (g *group) prepare(tx *transaction) error {
	g.tx, g.members, g.rest, g.written, g.news = tx, nil, nil, map[string]bool{}, false
	if g.tries++; g.tries > patience && !g.gate {
		if err := g.closeGate(); err != nil {
			return err
		}
	}
	g.settle(func(r *request) error { return r.ctx.Err() })
	if err := g.read(); err != nil {
		return err
	}
	if err := g.admit(); err != nil || len(g.open) == 0 {
		return err
	}
	g.settle(g.choose)
	return g.write()
}

// closeGate has the commits of other processes wait, for a moment, until this group is done:
// it was overtaken again and again, as may happen to one that all others get in the way of.
func (g *group) closeGate() (err error) {
	g.gate, err = g.store.acquire(g.tx.ctx, gateLease, gateTime)
	if err == nil && g.gate {
		return errOvertaken // by those that have begun; from now on nobody does
	}
	return err
}

// settle gives those of the open requests their outcome for which judge returns one.
func (g *group) settle(judge func(*request) error) {
	var open []*request
	for _, r := range g.open {
		if err := judge(r); err != nil {
			r.done <- err
		} else {
			open = append(open, r)
		}
	}
	g.open = open
}

// read reads the rows that are checked, and those that say whether this process may commit,
// all as of the transaction's beginning.
func (g *group) read() error {
	s := g.store
	keys := [][]byte{s.leaseKey(gateLease)}
	if feed := s.leases.feedName(); feed != "" {
		keys = append(keys, s.leaseKey(feed))
	}
	asked := map[string]bool{}
	for _, r := range g.open {
		for _, c := range r.writes.Checks {
			if !asked[string(c.Key)] {
				asked[string(c.Key)] = true
				keys = append(keys, s.dataKey(c.Key))
			}
		}
	}
	rows, err := g.tx.snapshot.rows(g.tx.ctx, keys)
	if err != nil {
		return err
	}
	g.values = make(map[string][]byte, len(keys))
	for i, key := range keys {
		g.values[string(key)] = rows[i]
	}
	return nil
}

// admit finds out whether this process may commit now. If it has lost its feed, all requests
// are refused.
func (g *group) admit() error {
	s := g.store
	gate, err := readLease(g.values[string(s.leaseKey(gateLease))])
	if err != nil {
		return err
	}
	if gate.heldByOther(s.self, g.tx.time()) {
		return errOvertaken
	}
	feed := s.leases.feedName()
	if feed == "" {
		return nil
	}
	held, err := readLease(g.values[string(s.leaseKey(feed))])
	if err != nil {
		return err
	}
	if held.owner != s.self {
		s.leases.lose(feed)
	}
	if s.leases.isFenced() {
		g.settle(func(*request) error { return fmt.Errorf("%w: %s", storage.ErrFenced, feed) })
	}
	return nil
}

// choose makes a request a member, or has it follow if it depends on a member, or returns why
// it is refused.
func (g *group) choose(r *request) error {
	if g.depends(r.writes) {
		g.rest = append(g.rest, r)
		return nil
	}
	for _, c := range r.writes.Checks {
		if !equalValues(g.values[string(g.store.dataKey(c.Key))], c.Value) {
			return fmt.Errorf("%w: key %x", storage.ErrConflict, c.Key)
		}
	}
	g.members = append(g.members, r)
	for _, p := range r.writes.Puts {
		g.written[string(p.Key)] = true
	}
	for _, key := range r.writes.Deletes {
		g.written[string(key)] = true
	}
	return nil
}

// depends reports whether writes touch what a member writes.
func (g *group) depends(w *kv.Writes) bool {
	if len(g.written) == 0 {
		return false
	}
	for _, c := range w.Checks {
		if g.written[string(c.Key)] {
			return true
		}
	}
	for _, p := range w.Puts {
		if g.written[string(p.Key)] {
			return true
		}
	}
	for _, key := range w.Deletes {
		if g.written[string(key)] {
			return true
		}
	}
	return false
}

// write puts what the members write into the transaction, and locks what they have checked.
func (g *group) write() error {
	if len(g.written) == 0 {
		return nil
	}
	s := g.store
	common := s.leases.feedName() != "" // a commit of a process that lost its feed meets the new owner's lock
	everyGuard := false
	var locks [][]byte
	for _, r := range g.members {
		for _, p := range r.writes.Puts {
			if err := g.tx.putData(p.Key, p.Value); err != nil {
				return err
			}
			everyGuard = everyGuard || kv.IsCommon(p.Key)
			g.news = g.news || kv.IsEntry(p.Key)
		}
		for _, key := range r.writes.Deletes {
			if err := g.tx.deleteData(key); err != nil {
				return err
			}
			everyGuard = everyGuard || kv.IsCommon(key)
		}
		for _, c := range r.writes.Checks {
			switch {
			case g.written[string(c.Key)]:
			case kv.IsCommon(c.Key):
				common = true
			default:
				locks = append(locks, s.dataKey(c.Key))
			}
		}
	}
	switch {
	case everyGuard:
		for i := range guards {
			locks = append(locks, s.guardKey(i))
		}
	case common:
		locks = append(locks, s.guardKey(s.leases.guardNumber()))
	}
	return g.tx.lock(locks...)
}

// guards is how many keys stand for the rows that nearly every commit checks and few write
// (kv.IsCommon), and for the feeds: who checks them locks one guard, its process's, and who
// writes them locks all. So commits of different processes do not meet, and none misses a
// change.
const guards = 64

func (s *store) guardKey(i int) []byte { return append(s.ownKey(rowGuard), byte(i)) }
