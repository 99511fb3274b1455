package tikv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// join takes a feed that no living process has, or a new one.
func (s *store) join(ctx context.Context) (feed id.NodeID, err error) {
	if err := s.gate.Enter(ctx); err != nil {
		return feed, err
	}
	defer s.gate.Leave()
	if s.leases.feedName() != "" {
		return feed, errors.New("tikv: joined before")
	}
	var guard int
	err = s.transact(ctx, func(tx *transaction) error {
		feeds, err := tx.snapshot.feeds(tx.ctx)
		if err != nil {
			return err
		}
		feed, guard = id.NodeID{ULID: id.New(nil)}, len(feeds)%guards
		for _, f := range feeds {
			if !f.heldByOther(s.self, tx.time()) {
				feed, guard = f.feed, f.guard
				break
			}
		}
		// The guard meets what the feed's last owner may be committing.
		if err := tx.lock(s.guardKey(guard)); err != nil {
			return err
		}
		// The list of feeds is one that others have to see change.
		if err := tx.put(s.leaseKey(feedsRow), s.self.Bytes()); err != nil {
			return err
		}
		return tx.putLease(feedLease+feed.String(), lease{owner: s.self, end: tx.time() + s.options.Lease.Milliseconds(), guard: guard})
	})
	if err != nil {
		return id.NodeID{}, fmt.Errorf("tikv: join: %w", err)
	}
	s.leases.join(feedLease+feed.String(), guard, s.options.Lease)
	s.leases.keeper.Do(func() { s.work.Go(s.keep) })
	return feed, nil
}

// feedsRow is changed along with each lease of a feed that is taken.
const feedsRow = "feeds"

// heldFeed is a feed and the lease on it.
type heldFeed struct {
	feed id.NodeID
	lease
}

// feeds returns all feeds that a process has ever joined.
func (n *snapshot) feeds(ctx context.Context) (feeds []heldFeed, err error) {
	s := n.store
	prefix := s.leaseKey(feedLease)
	r := kv.Range{Start: prefix, End: s.leaseKey(strings.TrimSuffix(feedLease, "/") + "0")}
	for {
		rows, err := n.page(ctx, r, firstPage)
		if err != nil {
			return nil, err
		}
		for _, p := range rows {
			u, err := id.Parse(strings.TrimPrefix(string(p.key), string(prefix)))
			if err != nil {
				return nil, fmt.Errorf("%w: the lease of a feed: %w", storage.ErrCorrupt, err)
			}
			l, err := readLease(p.value)
			if err != nil {
				return nil, err
			}
			feeds = append(feeds, heldFeed{id.NodeID{ULID: u}, l})
		}
		if len(rows) < firstPage {
			return feeds, nil
		}
		r.Start = append(rows[len(rows)-1].key, 0)
	}
}

// wakes notices what other processes commit.
type wakes struct {
	once  sync.Once
	wake  chan struct{}
	hints storage.Hints // nil where processes do not tell each other
}

func (w *wakes) init() { w.wake = make(chan struct{}, 1) }

// openHints opens what Options.Hints has.
func (s *store) openHints() (err error) {
	if s.options.Hints == nil {
		return nil
	}
	name := fmt.Sprintf("%d/%s", s.client.GetPDClient().GetClusterID(s.life), s.place.prefix)
	s.wakes.hints, err = s.options.Hints(name)
	return err
}

// tell hints to other processes that this one has committed.
func (w *wakes) tell() {
	if w.hints != nil {
		w.hints.Tell()
	}
}

// told receives when another process has, perhaps, committed; never where processes do not
// tell each other.
func (w *wakes) told() <-chan struct{} {
	if w.hints == nil {
		return nil
	}
	return w.hints.Told()
}

// pass passes a hint on, unless there is one that nobody has taken yet.
func (w *wakes) pass() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// pollFloor is how often others' feeds are looked at while others commit, and hintFloor how
// often it is passed on what they tell.
const (
	pollFloor = 5 * time.Millisecond
	hintFloor = time.Millisecond
)

// watch looks at the feeds of others until the store is closed, the less often the longer
// nothing has come; where others tell what they commit, it looks as if nothing had.
func (s *store) watch() {
	w := watcher{store: s}
	wait, heard := pollFloor, false
	for look := time.NewTimer(0); ; {
		select {
		case <-look.C:
			wait = min(2*wait, s.options.Poll)
			if w.look() {
				s.wakes.pass()
				if !heard {
					wait = pollFloor
				}
			}
			heard = false
			look.Reset(wait)
		case <-s.wakes.told():
			heard = true
			s.wakes.pass()
			select {
			case <-time.After(hintFloor):
			case <-s.life.Done():
			}
		case <-s.life.Done():
			look.Stop()
			return
		}
	}
}

// watcher knows how far the feeds have come.
type watcher struct {
	store   *store
	tails   map[id.NodeID]uint64
	members []byte // the row that changes when a process takes a feed
}

// look reports whether another process has committed since it was called last. It asks for
// the entries that come next, all at once; where there is any, or a process has joined, the
// feeds are read.
func (w *watcher) look() bool {
	s := w.store
	own := strings.TrimPrefix(s.leases.feedName(), feedLease)
	keys := [][]byte{s.leaseKey(feedsRow)}
	for feed, tail := range w.tails {
		if feed.String() != own {
			keys = append(keys, s.dataKey(kv.EntryKey(feed, tail+1)))
		}
	}
	n, err := s.now(s.life)
	if err != nil {
		return false
	}
	rows, err := n.rows(s.life, keys)
	if err != nil {
		return false
	}
	news := w.tails == nil || !equalValues(w.members, rows[0])
	for _, row := range rows[1:] {
		news = news || row != nil
	}
	if !news {
		return false
	}
	tails, err := n.tails(s.life)
	if err != nil {
		return false
	}
	changed := false
	for feed, tail := range tails {
		changed = changed || feed.String() != own && tail != w.tails[feed]
	}
	w.tails, w.members = tails, rows[0]
	return changed
}

// tails returns the greatest Seq of all feeds, 0 for those without entries.
func (n *snapshot) tails(ctx context.Context) (map[id.NodeID]uint64, error) {
	joined, err := n.feeds(ctx)
	if err != nil {
		return nil, err
	}
	tails, err := kv.Feeds(ctx, n)
	for _, f := range joined {
		if _, found := tails[f.feed]; !found && err == nil {
			tails[f.feed] = 0
		}
	}
	return tails, err
}
