package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// New returns an empty engine. What it holds is gone when it is closed.
func New() storage.Engine { return NewDisk().Open() }

// Disk holds what engines opened on it have committed, for as long as it is referred
// to: closing an engine, or dropping it without closing as a crash does, loses nothing.
type Disk struct {
	// Random is where the ids of the feeds come from that shared engines write; nil for the
	// system's randomness. It is set before the first of them joins.
	Random io.Reader

	mu struct {
		sync.RWMutex
		records map[string]map[id.EntityID]*proto.Record // by collection
		home    map[id.EntityID]string                   // the collection of a record
		events  map[id.EventID]*proto.Event
		history map[id.EntityID][]id.EventID // ascending
		feeds   map[id.NodeID][]*proto.FeedEntry
		outbox  []storage.OutboxEntry // ascending by Seq
		meta    map[string][]byte

		// Of shared engines.
		sharers  map[*Shared]struct{}
		joined   []id.NodeID        // the feeds that Join has given out
		locks    map[string]*Shared // by name: the holders
		released chan struct{}      // closed when a lock is free again
	}
}

// NewDisk returns an empty disk.
func NewDisk() *Disk {
	d := &Disk{}
	d.mu.records = map[string]map[id.EntityID]*proto.Record{}
	d.mu.home = map[id.EntityID]string{}
	d.mu.events = map[id.EventID]*proto.Event{}
	d.mu.history = map[id.EntityID][]id.EventID{}
	d.mu.feeds = map[id.NodeID][]*proto.FeedEntry{}
	d.mu.meta = map[string][]byte{}
	return d
}

// Open returns an engine over the disk. A node expects to be the only one that writes;
// the disk does not enforce it.
func (d *Disk) Open() storage.Engine { return &engine{disk: d} }

// Copy returns a disk that holds what d holds now.
func (d *Disk) Copy() *Disk {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := NewDisk()
	for collection, records := range d.mu.records {
		c.mu.records[collection] = maps.Clone(records)
	}
	c.mu.home = maps.Clone(d.mu.home)
	c.mu.events = maps.Clone(d.mu.events)
	for e, history := range d.mu.history {
		c.mu.history[e] = slices.Clone(history)
	}
	for feed, entries := range d.mu.feeds {
		c.mu.feeds[feed] = slices.Clone(entries)
	}
	c.mu.outbox = slices.Clone(d.mu.outbox)
	c.mu.meta = maps.Clone(d.mu.meta)
	return c
}

// engine is one opening of a disk. closed is guarded by the disk's lock.
type engine struct {
	disk   *Disk
	closed bool
}

// read takes the disk's lock for reading; unless it fails, the caller releases it.
func (e *engine) read(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.disk.mu.RLock()
	if e.closed {
		e.disk.mu.RUnlock()
		return storage.ErrClosed
	}
	return nil
}

// Commit implements storage.Engine.
func (e *engine) Commit(ctx context.Context, b *storage.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d := e.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.closed {
		return storage.ErrClosed
	}
	if err := d.checkLocked(b); err != nil {
		return err
	}
	for _, ev := range b.Events {
		d.addEventLocked(ev)
	}
	for i := range b.Records {
		d.putRecordLocked(b.Records[i].Record)
	}
	for _, entity := range b.Evict {
		delete(d.mu.records[d.mu.home[entity]], entity)
		delete(d.mu.home, entity)
	}
	for _, entry := range b.Outbox {
		d.putOutboxLocked(entry)
	}
	for _, entry := range b.Meta {
		if entry.Value == nil {
			delete(d.mu.meta, entry.Key)
		} else {
			d.mu.meta[entry.Key] = entry.Value
		}
	}
	for _, entry := range b.Feed {
		feed := d.mu.feeds[b.FeedID]
		i, _ := findFeed(feed, entry.Seq)
		d.mu.feeds[b.FeedID] = slices.Insert(feed, i, entry)
	}
	return nil
}

// checkLocked reports whether the batch meets what is stored.
func (d *Disk) checkLocked(b *storage.Batch) error {
	for i := range b.Records {
		w := &b.Records[i]
		var head proto.Clock
		if stored := d.recordLocked(w.Record.Entity); stored != nil {
			head = stored.State.Head
		}
		if !head.Equal(w.Expect) {
			return fmt.Errorf("%w: entity %s", storage.ErrConflict, w.Record.Entity)
		}
	}
	for _, entry := range b.Feed {
		if _, taken := findFeed(d.mu.feeds[b.FeedID], entry.Seq); taken {
			return fmt.Errorf("%w: feed %s already has entry %d", storage.ErrConflict, b.FeedID, entry.Seq)
		}
	}
	return nil
}

func (d *Disk) recordLocked(entity id.EntityID) *proto.Record {
	return d.mu.records[d.mu.home[entity]][entity]
}

func (d *Disk) putRecordLocked(rec *proto.Record) {
	if d.mu.records[rec.Collection] == nil {
		d.mu.records[rec.Collection] = map[id.EntityID]*proto.Record{}
	}
	d.mu.records[rec.Collection][rec.Entity] = rec
	d.mu.home[rec.Entity] = rec.Collection
}

func (d *Disk) addEventLocked(ev *proto.Event) {
	if d.mu.events[ev.ID] != nil {
		return
	}
	d.mu.events[ev.ID] = ev
	history := d.mu.history[ev.Entity]
	i, _ := slices.BinarySearchFunc(history, ev.ID, compareEventIDs)
	d.mu.history[ev.Entity] = slices.Insert(history, i, ev.ID)
}

func (d *Disk) putOutboxLocked(entry storage.OutboxEntry) {
	i, found := findOutbox(d.mu.outbox, entry.Seq)
	switch {
	case entry.Data == nil && found:
		d.mu.outbox = slices.Delete(d.mu.outbox, i, i+1)
	case entry.Data != nil && found:
		d.mu.outbox[i] = entry
	case entry.Data != nil:
		d.mu.outbox = slices.Insert(d.mu.outbox, i, entry)
	}
}

func compareEventIDs(a, b id.EventID) int { return a.Compare(b.ULID) }

// findFeed returns the index of the entry numbered seq, or where it would be inserted.
func findFeed(feed []*proto.FeedEntry, seq uint64) (int, bool) {
	return slices.BinarySearchFunc(feed, seq, func(e *proto.FeedEntry, seq uint64) int {
		return cmp.Compare(e.Seq, seq)
	})
}

func findOutbox(outbox []storage.OutboxEntry, seq uint64) (int, bool) {
	return slices.BinarySearchFunc(outbox, seq, func(e storage.OutboxEntry, seq uint64) int {
		return cmp.Compare(e.Seq, seq)
	})
}

// Records implements storage.Engine.
func (e *engine) Records(ctx context.Context, entities []id.EntityID) ([]*proto.Record, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	records := make([]*proto.Record, len(entities))
	for i, entity := range entities {
		records[i] = e.disk.recordLocked(entity)
	}
	return records, nil
}

// Events implements storage.Engine.
func (e *engine) Events(ctx context.Context, ids []id.EventID) ([]*proto.Event, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	events := make([]*proto.Event, len(ids))
	for i, ev := range ids {
		events[i] = e.disk.mu.events[ev]
	}
	return events, nil
}

// EntityEvents implements storage.Engine.
func (e *engine) EntityEvents(ctx context.Context, entity id.EntityID, after id.EventID, limit int) ([]*proto.Event, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	var events []*proto.Event
	for _, ev := range e.disk.mu.history[entity] {
		if len(events) == storage.PageSize(limit) {
			break
		}
		if ev.Compare(after.ULID) > 0 {
			events = append(events, e.disk.mu.events[ev])
		}
	}
	return events, nil
}

// Scan implements storage.Engine.
func (e *engine) Scan(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()

	type match struct {
		key    []byte
		record *proto.Record
	}
	var matches []match
	for _, rec := range e.disk.mu.records[collection] {
		if rec.State.Deleted() || !s.Matches(rec) {
			continue
		}
		key := s.AppendSortKey(nil, rec, rec.Entity)
		if after == nil || bytes.Compare(key, after) > 0 {
			matches = append(matches, match{key, rec})
		}
	}
	sort.Slice(matches, func(i, j int) bool { return bytes.Compare(matches[i].key, matches[j].key) < 0 })

	page := &storage.Page{}
	taken := 0
	for _, m := range matches[:min(len(matches), storage.PageSize(limit))] {
		if taken += len(m.key) + m.record.State.Size(); taken > storage.MaxPageBytes && page.Next != nil {
			break
		}
		page.Records = append(page.Records, m.record)
		page.Next = m.key
	}
	page.More = len(page.Records) < len(matches)
	if !page.More {
		page.Next = nil
	}
	return page, nil
}

// Explain implements storage.Explainer.
func (e *engine) Explain(ctx context.Context, collection string, s *ankql.Selection, limit int) (*storage.Explanation, error) {
	begun := time.Now()
	page, err := e.Scan(ctx, collection, s, nil, limit)
	if err != nil {
		return nil, err
	}
	e.disk.mu.RLock()
	rows := len(e.disk.mu.records[collection])
	e.disk.mu.RUnlock()
	x := &storage.Explanation{
		Plan: "read the collection", Method: storage.MethodScan, Ranges: 1, Sorted: true,
		Rows: rows, Returned: len(page.Records), More: page.More,
	}
	if s.Where != nil && s.Where != ankql.True {
		x.Residual = s.Where.String()
		x.Plan += ", keep where " + x.Residual
	}
	x.Plan += ", sort"
	x.Took = time.Since(begun)
	return x, nil
}

// Feed implements storage.Engine.
func (e *engine) Feed(ctx context.Context, feed id.NodeID, after uint64, limit int) ([]*proto.FeedEntry, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	entries := e.disk.mu.feeds[feed]
	i, found := findFeed(entries, after)
	if found {
		i++
	}
	entries = entries[i:]
	return slices.Clone(entries[:min(len(entries), storage.PageSize(limit))]), nil
}

// Outbox implements storage.Engine.
func (e *engine) Outbox(ctx context.Context, after uint64, limit int) ([]storage.OutboxEntry, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	i, found := findOutbox(e.disk.mu.outbox, after)
	if found {
		i++
	}
	rest := e.disk.mu.outbox[i:]
	entries := slices.Clone(rest[:min(len(rest), storage.PageSize(limit))])
	for i := range entries {
		entries[i].Data = bytes.Clone(entries[i].Data)
	}
	return entries, nil
}

// Meta implements storage.Engine.
func (e *engine) Meta(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = bytes.Clone(e.disk.mu.meta[key])
	}
	return values, nil
}

// Close implements storage.Engine.
func (e *engine) Close() error {
	e.disk.mu.Lock()
	defer e.disk.mu.Unlock()
	e.closed = true
	return nil
}
