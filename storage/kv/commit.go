package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Commit implements storage.Engine.
func (e *Engine) Commit(ctx context.Context, b *storage.Batch) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.leave()
	p := plan{batch: b, heads: &e.heads}
	for attempt := 1; ; attempt++ {
		w, err := p.prepare(ctx, e.store)
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

func (w *Writes) empty() bool { return len(w.Puts) == 0 && len(w.Deletes) == 0 }

// plan turns a batch into writes. What the batch says is absent is not read, nor what is
// remembered, since the store's check will tell; in doubt it is read as well, to tell who
// is wrong.
type plan struct {
	batch  *storage.Batch
	heads  *heads
	doubt  bool
	stored map[string][]byte // rows read or remembered
	w      *Writes
	rows   [][]byte // of the batch's records, as written
}

// prepare reads what the batch depends on and returns the writes, or ErrConflict.
func (p *plan) prepare(ctx context.Context, store Store) (*Writes, error) {
	if err := p.read(ctx, store); err != nil {
		return nil, err
	}
	p.w, p.rows = &Writes{}, p.rows[:0]
	for _, ev := range p.batch.Events {
		p.addEvent(ev)
	}
	for i := range p.batch.Records {
		if err := p.putRecord(&p.batch.Records[i]); err != nil {
			return nil, err
		}
	}
	for _, entity := range p.batch.Evict {
		p.evict(entity)
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

func (p *plan) read(ctx context.Context, store Store) error {
	p.stored = map[string][]byte{}
	keys := p.reads()
	if len(keys) == 0 {
		return nil
	}
	values, err := store.Get(ctx, keys)
	if err != nil {
		return err
	}
	for i, key := range keys {
		p.stored[string(key)] = values[i]
	}
	return nil
}

// reads returns the keys to be read, and puts what is remembered in their place.
func (p *plan) reads() (keys [][]byte) {
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
func (p *plan) remember() {
	for i := range p.batch.Records {
		p.heads.remember(p.batch.Records[i].Record.Entity, p.rows[i])
	}
	for _, entity := range p.batch.Evict {
		p.heads.forget(entity)
	}
}

// forget drops what is remembered of the batch's records, whose rows are not known now.
func (p *plan) forget() {
	for i := range p.batch.Records {
		p.heads.forget(p.batch.Records[i].Record.Entity)
	}
}

func (p *plan) put(key, value []byte) { p.w.Puts = append(p.w.Puts, Pair{key, value}) }

// check demands that the row is still what was read, nil for absent.
func (p *plan) check(key, value []byte) { p.w.Checks = append(p.w.Checks, Check{key, value}) }

// set puts the row, or deletes it if value is nil.
func (p *plan) set(key, value []byte) {
	if value == nil {
		p.w.Deletes = append(p.w.Deletes, key)
	} else {
		p.put(key, value)
	}
}

func (p *plan) addEvent(ev *proto.Event) {
	p.put(eventKey(ev.ID), proto.AppendEvent(make([]byte, 0, ev.EncodedSize()), ev))
	if ev.IsCreation() {
		p.put(homeKey(ev.Entity), []byte(ev.Collection)) // K1
	} else {
		p.put(historyKey(ev.Entity, ev.ID), nil)
	}
}

func (p *plan) putRecord(w *storage.RecordWrite) error {
	rec := w.Record
	if n := len(rec.Collection); n == 0 || n > proto.MaxNameBytes {
		return fmt.Errorf("kv: collection name of %d bytes", n)
	}
	key := recordKey(rec.Collection, rec.Entity)
	stored := p.stored[string(key)]
	if err := expectHead(w, stored); err != nil {
		return err
	}
	if stored == nil {
		p.put(homeKey(rec.Entity), []byte(rec.Collection)) // K1
	}
	p.check(key, stored)
	row := appendRow(nil, rec)
	p.put(key, row)
	p.rows = append(p.rows, row)
	return nil
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

// evict removes an entity's record, and its home unless the creation event needs it.
func (p *plan) evict(entity id.EntityID) {
	home := p.stored[string(homeKey(entity))]
	if home == nil {
		return
	}
	p.set(recordKey(string(home), entity), nil)
	creation := eventKey(id.EventID(entity))
	if p.stored[string(creation)] == nil && !p.creates(entity) {
		p.check(creation, nil)
		p.set(homeKey(entity), nil)
	}
}

func (p *plan) creates(entity id.EntityID) bool {
	for _, ev := range p.batch.Events {
		if ev.ID == id.EventID(entity) {
			return true
		}
	}
	return false
}

func (p *plan) appendFeed(entry *proto.FeedEntry) error {
	key := feedKey(p.batch.FeedID, entry.Seq)
	if p.stored[string(key)] != nil {
		return fmt.Errorf("%w: feed %s already has entry %d", storage.ErrConflict, p.batch.FeedID, entry.Seq)
	}
	p.check(key, nil)
	p.put(key, proto.AppendFeedEntry(nil, entry))
	return nil
}
