package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Commit implements storage.Engine.
func (e *Engine) Commit(ctx context.Context, b *storage.Batch) error {
	if err := e.gate.Enter(ctx); err != nil {
		return err
	}
	defer e.gate.Leave()
	p := commitPlan{engine: e, batch: b, heads: &e.heads}
	for attempt := 1; ; attempt++ {
		w, err := p.prepare(ctx)
		if err != nil || w.empty() {
			return err
		}
		switch err = e.store.Commit(ctx, w); {
		case err == nil:
			p.remember()
			return nil
		case !errors.Is(err, storage.ErrConflict) || attempt == maxAttempts:
			p.forget()
			return err
		}
		// A row is not as it was read, or remembered, or as the batch says it is. Look at
		// all of them now: either the batch's own expectation fails, or somebody else's
		// commit came in between, which is progress, and this one tries again.
		p.doubt = true
	}
}

// maxAttempts bounds how often a commit is overtaken before its caller is told: many
// times more than can happen by chance.
const maxAttempts = 1000

// newWrites makes room for what a batch comes to, but for entries of indexes.
func newWrites(b *storage.Batch) *Writes {
	return &Writes{
		Puts:   make([]Pair, 0, 2*len(b.Records)+2*len(b.Events)+len(b.Outbox)+len(b.Meta)+len(b.Feed)),
		Checks: make([]Check, 0, len(b.Records)+len(b.Feed)+1),
	}
}

func (w *Writes) empty() bool { return len(w.Puts) == 0 && len(w.Deletes) == 0 }

// commitPlan turns a batch into writes. What the batch says is absent is not read, nor
// what is remembered, since the store's check will tell; in doubt it is read as well, to
// tell who is wrong.
type commitPlan struct {
	engine     *Engine
	batch      *storage.Batch
	heads      *heads
	doubt      bool
	stored     map[string][]byte // rows read or remembered
	catalogues []*catalogue      // of the collections written to
	w          *Writes
	rows       [][]byte             // of the batch's records, as written
	room       arena                // where their keys and rows are
	row        []byte               // the one that is being written
	collection []byte               // the row of the last home
	created    map[id.EntityID]bool // entities whose creation events are in the batch
}

// prepare reads what the batch depends on and returns the writes, or ErrConflict.
func (p *commitPlan) prepare(ctx context.Context) (*Writes, error) {
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	p.w, p.rows = newWrites(p.batch), p.rows[:0]
	for _, c := range p.catalogues {
		p.check(c.key, c.raw)
	}
	for _, ev := range p.batch.Events {
		p.addEvent(ev)
	}
	for i := range p.batch.Records {
		if err := p.putRecord(&p.batch.Records[i]); err != nil {
			return nil, err
		}
	}
	for _, entity := range p.batch.Evict {
		if err := p.evict(entity); err != nil {
			return nil, err
		}
	}
	for _, entry := range p.batch.Outbox {
		p.set(outboxKey(entry.Seq), entry.Data)
	}
	for _, entry := range p.batch.Meta {
		p.set(metaKey(entry.Key), entry.Value)
	}
	for _, entry := range p.batch.Feed {
		if err := p.appendFeed(entry); err != nil {
			return nil, err
		}
	}
	return p.w, nil
}

func (p *commitPlan) read(ctx context.Context) error {
	p.stored, p.catalogues = map[string][]byte{}, p.catalogues[:0]
	if err := p.get(ctx, p.reads()); err != nil {
		return err
	}
	for i := range p.batch.Records {
		if _, err := p.catalogue(ctx, p.batch.Records[i].Record.Collection); err != nil {
			return err
		}
	}
	return p.readEvicted(ctx)
}

// get reads rows into p.stored.
func (p *commitPlan) get(ctx context.Context, keys [][]byte) error {
	if len(keys) == 0 {
		return nil
	}
	values, err := p.engine.store.Get(ctx, keys)
	if err != nil {
		return err
	}
	for i, key := range keys {
		p.stored[string(key)] = values[i]
	}
	return nil
}

// readEvicted reads the rows of entities to be evicted whose collections, which are known
// now, have indexes.
func (p *commitPlan) readEvicted(ctx context.Context) error {
	var keys [][]byte
	for _, entity := range p.batch.Evict {
		home := p.stored[string(homeKey(entity))]
		if home == nil {
			continue
		}
		c, err := p.catalogue(ctx, string(home))
		if err != nil {
			return err
		}
		if len(c.maintained) > 0 {
			keys = append(keys, recordKey(string(home), entity))
		}
	}
	return p.get(ctx, keys)
}

// reads returns the keys to be read, and puts what is remembered in their place.
func (p *commitPlan) reads() (keys [][]byte) {
	for i := range p.batch.Records {
		w := &p.batch.Records[i]
		if len(w.Expect) == 0 && !p.doubt {
			continue
		}
		key := recordKey(w.Record.Collection, w.Record.Entity)
		if row := p.heads.expected(w.Record.Entity, w.Expect); row != nil && !p.doubt {
			p.stored[string(key)] = row
		} else {
			keys = append(keys, key)
		}
	}
	for _, entity := range p.batch.Evict {
		keys = append(keys, homeKey(entity), eventKey(id.EventID(entity)))
	}
	if p.doubt {
		for _, entry := range p.batch.Feed {
			keys = append(keys, feedKey(p.batch.FeedID, entry.Seq))
		}
	}
	return keys
}

// remember keeps the rows written for the commits to come.
func (p *commitPlan) remember() {
	for _, c := range p.catalogues {
		p.engine.catalogues.confirm(c)
	}
	if len(p.batch.Records) > maxRemembered {
		p.forget()
	} else {
		for i := range p.batch.Records {
			p.heads.remember(p.batch.Records[i].Record.Entity, p.rows[i])
		}
	}
	for _, entity := range p.batch.Evict {
		p.heads.forget(entity)
	}
}

// maxRemembered is the number of records of the largest batch whose rows are remembered:
// what is imported by the thousand is seldom changed next, and would drive out the rest.
const maxRemembered = 256

// forget drops what is remembered of the batch's records, whose rows are not known now.
func (p *commitPlan) forget() {
	for i := range p.batch.Records {
		p.heads.forget(p.batch.Records[i].Record.Entity)
	}
}

func (p *commitPlan) put(key, value []byte) { p.w.Puts = append(p.w.Puts, Pair{key, value}) }

// check demands that the row is still what was read, nil for absent.
func (p *commitPlan) check(key, value []byte) { p.w.Checks = append(p.w.Checks, Check{key, value}) }

// set puts the row, or deletes it if value is nil.
func (p *commitPlan) set(key, value []byte) {
	if value == nil {
		p.w.Deletes = append(p.w.Deletes, key)
	} else {
		p.put(key, value)
	}
}

func (p *commitPlan) addEvent(ev *proto.Event) {
	p.put(eventKey(ev.ID), proto.AppendEvent(make([]byte, 0, ev.EncodedSize()), ev))
	if ev.IsCreation() {
		p.put(homeKey(ev.Entity), p.home(ev.Collection)) // K1
		if p.created == nil {
			p.created = map[id.EntityID]bool{}
		}
		p.created[ev.Entity] = true
	} else {
		p.put(historyKey(ev.Entity, ev.ID), nil)
	}
}

func (p *commitPlan) putRecord(w *storage.RecordWrite) error {
	rec := w.Record
	if n := len(rec.Collection); n == 0 || n > proto.MaxNameBytes {
		return fmt.Errorf("kv: collection name of %d bytes", n)
	}
	key := appendRecordKey(p.room.next(2+len(rec.Collection)+id.Size), rec.Collection, rec.Entity)
	p.room.taken(key)
	stored := p.stored[string(key)]
	if err := expectHead(w, stored); err != nil {
		return err
	}
	if stored == nil && !p.created[rec.Entity] {
		home := appendHistoryKey(p.room.next(1+2*id.Size), rec.Entity, id.EventID(rec.Entity))
		p.room.taken(home)
		p.put(home, p.home(rec.Collection)) // K1
	}
	p.check(key, stored)
	p.row = appendRow(p.row[:0], rec)
	row := append(p.room.next(len(p.row)), p.row...)
	p.room.taken(row)
	p.put(key, row)
	p.rows = append(p.rows, row)
	var after ankql.Fields
	if !rec.State.Deleted() {
		after = rec
	}
	return p.maintain(p.catalogueOf(rec.Collection), rec.Entity, stored, after)
}

// home returns the row that says that an entity is in a collection.
func (p *commitPlan) home(collection string) []byte {
	if string(p.collection) != collection {
		p.collection = []byte(collection)
	}
	return p.collection
}

// expectHead compares the head of a stored row with the one that w expects.
func expectHead(w *storage.RecordWrite, stored []byte) error {
	if stored == nil && len(w.Expect) == 0 {
		return nil
	}
	if stored != nil {
		var view rowView
		if err := view.reset(w.Record.Entity, stored); err != nil {
			return err
		}
		if bytes.Equal(view.state.Head(), proto.AppendClock(nil, w.Expect)) {
			return nil
		}
	}
	return fmt.Errorf("%w: entity %s", storage.ErrConflict, w.Record.Entity)
}

// evict removes an entity's record with its entries, and its home unless the creation
// event needs it.
func (p *commitPlan) evict(entity id.EntityID) error {
	home := p.stored[string(homeKey(entity))]
	if home == nil {
		return nil
	}
	key := recordKey(string(home), entity)
	p.set(key, nil)
	creation := eventKey(id.EventID(entity))
	if p.stored[string(creation)] == nil && !p.created[entity] {
		p.check(creation, nil)
		p.set(homeKey(entity), nil)
	}
	c := p.catalogueOf(string(home))
	if len(c.maintained) == 0 {
		return nil
	}
	row := p.stored[string(key)]
	p.check(key, row)
	return p.maintain(c, entity, row, nil)
}

func (p *commitPlan) appendFeed(entry *proto.FeedEntry) error {
	key := feedKey(p.batch.FeedID, entry.Seq)
	if p.stored[string(key)] != nil {
		return fmt.Errorf("%w: feed %s already has entry %d", storage.ErrConflict, p.batch.FeedID, entry.Seq)
	}
	p.check(key, nil)
	p.put(key, proto.AppendFeedEntry(nil, entry))
	return nil
}
