package verify

import (
	"context"
	"errors"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// feedPage is how many entries are read at a time.
const feedPage = 256

// feeds verifies that the feeds have no gaps, that what they name is there, and that what is
// there is in them.
func (c *check) feeds(ctx context.Context) error {
	ends, err := c.walker.Feeds(ctx)
	if err != nil {
		return err
	}
	var events, revisions uint64
	for feed, end := range ends {
		for after := uint64(0); after < end; {
			page, err := c.engine.Feed(ctx, feed, after, feedPage)
			if errors.Is(err, storage.ErrCorrupt) {
				c.sum = false
				c.found(Unreadable, id.EntityID{}, "feed %s behind entry %d: %v", feed, after, err)
				break
			}
			if err != nil {
				return err
			}
			if len(page) == 0 {
				c.found(FeedGap, id.EntityID{}, "feed %s has no entries from %d to %d", feed, after+1, end)
				break
			}
			for _, entry := range page {
				if entry.Seq != after+1 {
					c.found(FeedGap, id.EntityID{}, "feed %s has no entries from %d to %d", feed, after+1, entry.Seq-1)
				}
				after = entry.Seq
				c.report.Entries++
				for i := range entry.Changes {
					events += uint64(len(entry.Changes[i].Events))
					revisions++
				}
			}
			if err := c.named(ctx, feed, page); err != nil {
				return err
			}
			c.progress(c.report.Entries / feedPage * progressEvery)
		}
	}
	if len(ends) == 0 && c.report.Events == 0 {
		return nil
	}
	if events != c.report.Events {
		c.found(FeedSum, id.EntityID{}, "the feeds name %d events, and there are %d", events, c.report.Events)
	}
	if revisions != c.revisions && c.sum {
		c.found(FeedSum, id.EntityID{}, "the feeds have %d changes of entities, and the revisions of all entities come to %d", revisions, c.revisions)
	}
	return nil
}

// named verifies that the events and entities that entries name are there.
func (c *check) named(ctx context.Context, feed id.NodeID, page []*proto.FeedEntry) error {
	type place struct {
		seq    uint64
		entity id.EntityID
	}
	var events []id.EventID
	var places []place
	for _, entry := range page {
		for i := range entry.Changes {
			for _, ev := range entry.Changes[i].Events {
				events = append(events, ev)
				places = append(places, place{entry.Seq, entry.Changes[i].Entity})
			}
		}
	}
	for len(events) > 0 {
		n := min(len(events), feedPage)
		found, err := c.engine.Events(ctx, events[:n])
		if errors.Is(err, storage.ErrCorrupt) {
			return nil // the walk has named those that cannot be read
		}
		if err != nil {
			return err
		}
		for i, ev := range found {
			switch {
			case ev == nil:
				c.found(FeedNames, places[i].entity, "feed %s, entry %d names event %s, which is not there", feed, places[i].seq, events[i])
			case ev.Entity != places[i].entity:
				c.found(FeedNames, places[i].entity, "feed %s, entry %d names event %s, which is of entity %s", feed, places[i].seq, ev.ID, ev.Entity)
			}
		}
		events, places = events[n:], places[n:]
	}
	return nil
}

// scans verifies that scans find the entities that there are.
func (c *check) scans(ctx context.Context) error {
	all := &ankql.Selection{Where: ankql.True, Limit: ankql.NoLimit}
	for collection, want := range c.report.Collections {
		var got uint64
		for after := []byte(nil); ; {
			page, err := c.engine.Scan(ctx, collection, all, after, feedPage)
			if errors.Is(err, storage.ErrCorrupt) {
				got = want // the walk has named those that cannot be read
				break
			}
			if err != nil {
				return err
			}
			got += uint64(len(page.Records))
			if !page.More {
				break
			}
			after = page.Next
		}
		if got != want {
			c.found(ScanDiffers, id.EntityID{}, "a scan of %q returns %d entities, and there are %d", collection, got, want)
		}
	}
	return nil
}
