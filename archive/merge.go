package archive

import (
	"context"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// feedEntry is an entry of one of several feeds.
type feedEntry struct {
	feed id.NodeID
	*proto.FeedEntry
}

// span is a part of a feed: the entries behind after, up to end.
type span struct {
	feed       id.NodeID
	after, end uint64
}

// merger reads several feeds as one. In a feed entries are in the order of their commits;
// between feeds the revisions of entities tell what builds on what, as far as the windows
// reach, and the stamps of events about when an entry was made.
type merger struct {
	from    storage.Reader
	streams []*stream
	pending map[id.EntityID][]uint64 // revisions in the windows, where there are several feeds
	read    bool                     // a window was filled since refilled was called
}

// stream is the window of one feed.
type stream struct {
	span
	window []*proto.FeedEntry
	stamp  id.Stamp // the greatest of the entries up to the first of the window
}

// mergeWindow is how many entries of each feed are held against each other.
const mergeWindow = 1024

func newMerger(from storage.Reader, spans []span) *merger {
	m := &merger{from: from}
	for _, s := range spans {
		m.streams = append(m.streams, &stream{span: s})
	}
	if len(spans) > 1 {
		m.pending = map[id.EntityID][]uint64{}
	}
	return m
}

// refilled reports whether a window was filled since it was last asked.
func (m *merger) refilled() bool {
	read := m.read
	m.read = false
	return read
}

// page returns the next entries, up to limit.
func (m *merger) page(ctx context.Context, limit int) (page []*feedEntry, err error) {
	for len(page) < limit {
		entry, err := m.next(ctx)
		if err != nil || entry == nil {
			return page, err
		}
		page = append(page, entry)
	}
	return page, nil
}

// next returns the next entry, nil at the end.
func (m *merger) next(ctx context.Context) (*feedEntry, error) {
	for _, s := range m.streams {
		if err := m.fill(ctx, s); err != nil {
			return nil, err
		}
	}
	m.streams = slices.DeleteFunc(m.streams, func(s *stream) bool { return len(s.window) == 0 })
	if len(m.streams) == 0 {
		return nil, nil
	}
	s := m.choose()
	entry := s.window[0]
	s.window = s.window[1:]
	m.emitted(entry)
	if len(s.window) > 0 {
		s.meet(s.window[0])
	}
	return &feedEntry{s.feed, entry}, nil
}

// fill reads the next window of a feed when the last one is used up.
func (m *merger) fill(ctx context.Context, s *stream) error {
	if len(s.window) > 0 || s.after >= s.end {
		return nil
	}
	limit := min(mergeWindow, s.end-s.after)
	window, err := m.from.Feed(ctx, s.feed, s.after, int(limit))
	if err != nil {
		return err
	}
	for i, entry := range window {
		if entry.Seq != s.after+uint64(i)+1 {
			return fmt.Errorf("%w: feed %s has entry %d where %d should be", storage.ErrCorrupt, s.feed, entry.Seq, s.after+uint64(i)+1)
		}
		m.awaits(entry)
	}
	if len(window) == 0 {
		return fmt.Errorf("%w: feed %s ends before entry %d", storage.ErrCorrupt, s.feed, s.after+1)
	}
	s.window, m.read = window, true
	s.after = window[len(window)-1].Seq
	s.meet(window[0])
	return nil
}

// meet notes the stamps of an entry that has become the first of the window.
func (s *stream) meet(entry *proto.FeedEntry) {
	for i := range entry.Changes {
		for _, ev := range entry.Changes[i].Events {
			s.stamp = max(s.stamp, ev.Stamp())
		}
	}
}

// choose returns the feed whose first entry is next: the earliest of those that build on
// nothing that another window still holds.
func (m *merger) choose() *stream {
	var best *stream
	var bestFree bool
	for _, s := range m.streams {
		free := len(m.streams) == 1 || m.free(s.window[0])
		if best == nil || free && !bestFree || free == bestFree && s.stamp < best.stamp {
			best, bestFree = s, free
		}
	}
	return best
}

// free reports whether no window holds what an entry builds on.
func (m *merger) free(entry *proto.FeedEntry) bool {
	for i := range entry.Changes {
		c := &entry.Changes[i]
		for _, rev := range m.pending[c.Entity] {
			if rev < c.Rev {
				return false
			}
		}
	}
	return true
}

// awaits notes an entry that has come into a window.
func (m *merger) awaits(entry *proto.FeedEntry) {
	for i := range entry.Changes {
		if c := &entry.Changes[i]; m.pending != nil {
			m.pending[c.Entity] = append(m.pending[c.Entity], c.Rev)
		}
	}
}

// emitted notes that an entry has left its window.
func (m *merger) emitted(entry *proto.FeedEntry) {
	for i := range entry.Changes {
		c := &entry.Changes[i]
		revs := m.pending[c.Entity]
		if i := slices.Index(revs, c.Rev); i >= 0 {
			revs = slices.Delete(revs, i, i+1)
		}
		if len(revs) > 0 {
			m.pending[c.Entity] = revs
		} else {
			delete(m.pending, c.Entity)
		}
	}
}
