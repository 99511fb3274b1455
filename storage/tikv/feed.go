package tikv

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	err = n.each(ctx, s.leaseKey(feedLease), func(name string, value []byte) error {
		u, err := id.Parse(name)
		if err != nil {
			return fmt.Errorf("%w: the lease of a feed: %w", storage.ErrCorrupt, err)
		}
		l, err := readLease(value)
		feeds = append(feeds, heldFeed{id.NodeID{ULID: u}, l})
		return err
	})
	return feeds, err
}

// ownFeed returns the name of the process's feed, "" before Join.
func (s *store) ownFeed() string { return strings.TrimPrefix(s.leases.feedName(), feedLease) }

// watch looks at the feeds of others until the store is closed. Where a process says that it has
// committed, that is passed on without a look.
func (s *store) watch() {
	w := watcher{store: s}
	s.lookOut(s.life, storage.NewCommits, func() (news bool) {
		if news = w.look(); news {
			s.wakes.pass()
		}
		return news
	}, s.wakes.pass)
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
	own := s.ownFeed()
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
