package core

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// dispatch sends the peer what this node's store holds after the position that it names, and
// then what is published. It reads from storage as the peer takes it, so that a slow peer
// costs no memory.
func (x *exchange) dispatch(ctx context.Context) error {
	var m *proto.Follow
	select {
	case m = <-x.follow:
	case <-ctx.Done():
		return nil
	}
	r := x.node.feeds.reader(x.node.engine, m.After)
	for credit := entriesAhead; ; {
		more := x.node.replication.published.watch()
		for credit > 0 {
			entries, err := x.pack(ctx, r)
			if err != nil {
				return err
			}
			if entries == nil {
				break
			}
			x.out.must(entries) // a few at a time: see entriesAhead
			credit--
		}
		select {
		case <-more:
		case <-x.taken:
			if credit++; credit > entriesAhead {
				return errUnasked
			}
			if credit == entriesAhead {
				x.shown.update(func(s *Replication) { s.Behind = r.left() })
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// Limits of one Entries.
const (
	packEntries = 1000
	packBytes   = 256 << 10
	passedOver  = 1000 // transactions that the peer has already, after which it is told its position
)

// pack puts together the next Entries, nil if there is nothing to send.
func (x *exchange) pack(ctx context.Context, r *feedReader) (*proto.Entries, error) {
	m := &proto.Entries{}
	size, skipped := 0, 0
	for len(m.List) < packEntries && size < packBytes && skipped < passedOver {
		entry, err := r.next(ctx)
		if err != nil {
			return nil, err
		}
		if entry == nil {
			break
		}
		if x.heard.has(entry.Transaction) {
			skipped++
			continue
		}
		events, err := r.events(ctx, entry)
		if err != nil {
			return nil, err
		}
		body := proto.AppendEvents(nil, events)
		m.List = append(m.List, proto.Entry{Position: r.position(), Transaction: entry.Transaction, Events: body})
		size += len(body) + 64
	}
	sent := uint64(len(m.List))
	if len(m.List) == 0 && skipped == passedOver {
		m.List = []proto.Entry{{Position: r.position()}}
	}
	m.Left = r.left()
	if sent > 0 {
		x.shown.update(func(s *Replication) { s.Sent += sent; s.Behind = m.Left + sent })
	}
	if len(m.List) == 0 {
		return nil, nil
	}
	return m, nil
}

// feedReader reads the transactions of a store, of all of its feeds, in an order in which
// each comes after those that it is on top of.
type feedReader struct {
	feeds  *feeds
	engine storage.Engine
	read   map[id.NodeID]uint64 // of each feed, the last entry returned
	pages  map[id.NodeID]*feedPage
	bodies map[id.EventID]*proto.Event // read ahead
}

// feedPage is entries of one feed, read from storage and not returned.
type feedPage struct {
	entries []*proto.FeedEntry
	revs    map[id.EntityID][]uint64 // that these make of each entity, ascending
}

// reader returns a reader of what the best of some positions does not include; where none is
// one of this store's, of everything.
func (f *feeds) reader(engine storage.Engine, after []proto.Position) *feedReader {
	r := &feedReader{feeds: f, engine: engine, read: make(map[id.NodeID]uint64), pages: make(map[id.NodeID]*feedPage)}
	for _, p := range after {
		if from, _, ok := f.since(p); ok {
			r.read = from
			break
		}
	}
	return r
}

// ended returns where each feed ends, as far as it is published.
func (f *feeds) ended() map[id.NodeID]uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return maps.Clone(f.mu.ends)
}

// at returns the position that includes each feed up to an entry.
func (f *feeds) at(read map[id.NodeID]uint64) proto.Position {
	f.mu.RLock()
	defer f.mu.RUnlock()
	p := make(proto.Position, 0, len(read))
	for feed, seq := range read {
		if t := f.mu.timelines[feed]; len(t) > 0 {
			p = append(p, proto.Place{Epoch: t[len(t)-1].id, Seq: seq})
		}
	}
	slices.SortFunc(p, func(a, b proto.Place) int { return bytes.Compare(a.Epoch.Bytes(), b.Epoch.Bytes()) })
	return p
}

func (r *feedReader) position() proto.Position { return r.feeds.at(r.read) }

// left returns how many published entries have not been returned.
func (r *feedReader) left() (n uint64) {
	for feed, end := range r.feeds.ended() {
		n += end - min(end, r.read[feed])
	}
	return n
}

// next returns the next entry, nil if there is none yet.
func (r *feedReader) next(ctx context.Context) (*proto.FeedEntry, error) {
	if err := r.fill(ctx); err != nil {
		return nil, err
	}
	feed, ok := r.ready()
	if !ok {
		return nil, nil
	}
	entry := r.pages[feed].take()
	if len(r.pages[feed].entries) == 0 {
		delete(r.pages, feed)
	}
	r.read[feed] = entry.Seq
	return entry, nil
}

// fill reads a page of every feed of which none is at hand.
func (r *feedReader) fill(ctx context.Context) error {
	for feed, end := range r.feeds.ended() {
		if r.pages[feed] != nil || r.read[feed] >= end {
			continue
		}
		entries, err := r.engine.Feed(ctx, feed, r.read[feed], packEntries)
		if err != nil {
			return err
		}
		for len(entries) > 0 && entries[len(entries)-1].Seq > end {
			entries = entries[:len(entries)-1] // not published yet
		}
		if len(entries) > 0 {
			r.pages[feed] = newFeedPage(entries)
		}
	}
	return nil
}

func newFeedPage(entries []*proto.FeedEntry) *feedPage {
	p := &feedPage{entries: entries, revs: make(map[id.EntityID][]uint64)}
	for _, entry := range entries {
		for i := range entry.Changes {
			c := &entry.Changes[i]
			p.revs[c.Entity] = append(p.revs[c.Entity], c.Rev)
		}
	}
	return p
}

func (p *feedPage) take() *proto.FeedEntry {
	entry := p.entries[0]
	p.entries = p.entries[1:]
	for i := range entry.Changes {
		e := entry.Changes[i].Entity
		p.revs[e] = p.revs[e][1:]
	}
	return entry
}

// ready returns a feed whose next entry is on top of nothing that is still to come, as far
// as that is at hand: an entity's revisions are one count over all feeds. Where none is, the
// receiver looks up what it lacks.
func (r *feedReader) ready() (feed id.NodeID, ok bool) {
	feeds := slices.SortedFunc(maps.Keys(r.pages), func(a, b id.NodeID) int { return a.Compare(b.ULID) })
	for _, feed := range feeds {
		if !r.waits(feed) {
			return feed, true
		}
	}
	if len(feeds) > 0 {
		return feeds[0], true
	}
	return feed, false
}

func (r *feedReader) waits(feed id.NodeID) bool {
	if len(r.pages) == 1 {
		return false
	}
	for i := range r.pages[feed].entries[0].Changes {
		c := &r.pages[feed].entries[0].Changes[i]
		for other, page := range r.pages {
			if revs := page.revs[c.Entity]; other != feed && len(revs) > 0 && revs[0] < c.Rev {
				return true
			}
		}
	}
	return false
}

// events returns the events of an entry, which next has returned.
func (r *feedReader) events(ctx context.Context, entry *proto.FeedEntry) ([]*proto.Event, error) {
	ids := entry.AppendEvents(nil)
	if len(ids) > 0 && r.bodies[ids[0]] == nil {
		if err := r.readAhead(ctx, ids); err != nil {
			return nil, err
		}
	}
	events := make([]*proto.Event, 0, len(ids))
	for _, e := range ids {
		if body := r.bodies[e]; body != nil {
			events = append(events, body)
			delete(r.bodies, e)
		}
	}
	return events, nil
}

// bodiesAhead is about how many events are read at once.
const bodiesAhead = 128

// readAhead reads events, and with them those of entries that will be next.
func (r *feedReader) readAhead(ctx context.Context, ids []id.EventID) error {
	for _, page := range r.pages {
		for _, entry := range page.entries {
			if len(ids) >= bodiesAhead {
				break
			}
			ids = entry.AppendEvents(ids)
		}
	}
	r.bodies = make(map[id.EventID]*proto.Event, len(ids))
	for page := range slices.Chunk(ids, storage.MaxPage) {
		found, err := r.engine.Events(ctx, page)
		if err != nil {
			return err
		}
		for i, e := range found {
			r.bodies[page[i]] = e
		}
	}
	return nil
}
