package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// past writes the entries of the feeds up to where they ended when the dump began. What
// they name is there already.
func (d *dump) past(ctx context.Context) error {
	m := d.merge(d.engine, d.header.Feeds)
	for {
		entry, err := m.next(ctx)
		if err != nil || entry == nil {
			return err
		}
		if err := d.entry(entry); err != nil {
			return err
		}
		if m.refilled() {
			d.report(false)
		}
	}
}

// entry writes an entry of a feed.
func (d *dump) entry(e *feedEntry) error {
	d.cursor.saw(e.feed, e.Seq)
	return d.writer.Add(&Item{Entry: e.FeedEntry, Feed: e.feed}, d.cursor)
}

// merge merges the feeds from where the dump is up to where they are said to end.
func (d *dump) merge(from storage.Reader, ends []FeedPosition) *merger {
	var open []span
	for _, end := range ends {
		if after := d.cursor.seq(end.Feed); after < end.Seq {
			open = append(open, span{feed: end.Feed, after: after, end: end.Seq})
		}
	}
	return newMerger(from, open)
}

// recent writes what was committed since the dump began, until it has everything as of one
// moment; if it follows, until ctx ends.
func (d *dump) recent(ctx context.Context) error {
	last := roundPages // pages of the last round
	for round := 1; ; round++ {
		var done bool
		look := func(ctx context.Context) (err error) {
			last, done, err = d.round(ctx)
			return err
		}
		var err error
		if d.options.Still != nil && !d.options.Follow && (last <= 1 || round > patience) {
			err = d.options.Still(ctx, func(ctx context.Context) error {
				err := look(ctx)
				done = done || last < roundPages
				return err
			})
		} else {
			err = look(ctx)
		}
		if err == nil && done {
			if !d.options.Follow {
				return nil
			}
			err = d.rest(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// patience is how many rounds a dump takes to come close to a store that is being written
// to, before it stops the writers for as long as its last steps take.
const patience = 20

// rest is what a dump that follows does when it has everything.
func (d *dump) rest(ctx context.Context) error {
	if err := d.writer.Mark(time.Now()); err != nil {
		return err
	}
	d.report(true)
	select {
	case <-time.After(d.options.Poll):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// round writes what the feeds have gained. It returns how many pages that was, and whether
// the archive is then the store as of one moment: nothing that it has read can be of a
// transaction that it has not.
func (d *dump) round(ctx context.Context) (pages int, done bool, err error) {
	if shared, ok := d.engine.(storage.Shared); ok {
		view, err := shared.View(ctx)
		if err != nil {
			return 0, false, err
		}
		defer view.Close()
		pages, err = d.gained(ctx, view, view.Feeds)
		return pages, pages < roundPages, err
	}
	pages, err = d.gained(ctx, d.engine, d.walker.Feeds)
	// A record may have been read after a further commit, unless there was none.
	return pages, pages == 0, err
}

// gained writes what the feeds have gained, with what that names, as read from one reader.
func (d *dump) gained(ctx context.Context, from storage.Reader, ends func(context.Context) (map[id.NodeID]uint64, error)) (pages int, err error) {
	list, err := ends(ctx)
	if err != nil {
		return 0, err
	}
	var now Cursor
	for feed, seq := range list {
		now.saw(feed, seq)
	}
	m := d.merge(from, now.Feeds)
	for pages < roundPages {
		page, err := m.page(ctx, tailPage)
		if err != nil || len(page) == 0 {
			return pages, err
		}
		pages++
		if err := d.named(ctx, from, page); err != nil {
			return pages, err
		}
		for _, entry := range page {
			if err := d.entry(entry); err != nil {
				return pages, err
			}
		}
		if err := d.writer.Flush(); err != nil {
			return pages, err
		}
		d.report(false)
	}
	return pages, nil
}

// roundPages bounds a round, for which a view of the store may be open.
const roundPages = 64

// tailPage is how many entries are read at a time with all that they name.
const tailPage = 64

// named writes the events and the records that entries name.
func (d *dump) named(ctx context.Context, from storage.Reader, page []*feedEntry) error {
	var events []id.EventID
	var entities []id.EntityID
	seen := map[id.EntityID]bool{}
	for _, entry := range page {
		for i := range entry.Changes {
			c := &entry.Changes[i]
			events = append(events, c.Events...)
			if !seen[c.Entity] {
				seen[c.Entity] = true
				entities = append(entities, c.Entity)
			}
		}
	}
	if err := inPages(d, events, func(ids []id.EventID) ([]*proto.Event, error) { return from.Events(ctx, ids) }, func(ev *proto.Event) *Item { return &Item{Event: ev} }); err != nil {
		return err
	}
	return inPages(d, entities, func(ids []id.EntityID) ([]*proto.Record, error) { return from.Records(ctx, ids) }, func(rec *proto.Record) *Item { return &Item{Record: rec} })
}

// namedPage is how many things are read at a time by their ids.
const namedPage = 64

// inPages reads things by their ids and writes them; all of them have to be there.
func inPages[K interface{ String() string }, V any](d *dump, ids []K, read func([]K) ([]*V, error), item func(*V) *Item) error {
	for len(ids) > 0 {
		n := min(len(ids), namedPage)
		found, err := read(ids[:n])
		if err != nil {
			return err
		}
		for i, v := range found {
			if v == nil {
				return fmt.Errorf("%w: the feed names %s, which is not there", storage.ErrCorrupt, ids[i])
			}
			if err := d.writer.Add(item(v), d.cursor); err != nil {
				return err
			}
		}
		ids = ids[n:]
	}
	return nil
}
