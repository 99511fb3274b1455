package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// Commit implements storage.Engine. Once it has begun, it ends with a definite answer where
// there is one, whatever becomes of ctx.
func (e *Engine) Commit(ctx context.Context, b *storage.Batch) error {
	if err := e.gate.Enter(ctx); err != nil {
		return err
	}
	defer e.gate.Leave()
	if err := e.mayCommit(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	a := attempt{engine: e, batch: b}
	err := e.attempts(ctx, again, a.make)
	switch {
	case err == nil:
		e.membership.news.committed()
	case errors.Is(err, storage.ErrFenced):
		e.fenced(err)
	}
	return err
}

// attempt is a commit that may take several.
type attempt struct {
	engine *Engine
	batch  *storage.Batch
	doubt  bool // one before may have been stored
}

func (a *attempt) make(ctx context.Context) error {
	if a.doubt {
		if stored, err := a.engine.isStored(ctx, a.batch); err != nil || stored {
			return err
		}
	}
	err := a.engine.commit(ctx, a.batch)
	switch {
	case err == nil:
	case codeOf(err) == codeOutdated:
		if err := a.engine.reload(ctx); err != nil {
			return err
		}
	case codeOf(err) == "" && cut(err):
		a.doubt = true
	case a.doubt && !again(err):
		// What is in the way may be the attempt before, which went on without its connection.
		if stored, lookErr := a.engine.isStored(ctx, a.batch); lookErr != nil || stored {
			return lookErr
		}
	}
	return err
}

// commit makes one attempt.
func (e *Engine) commit(ctx context.Context, b *storage.Batch) error {
	d := e.described.Load()
	if missing := d.Missing(b.Records); len(missing) > 0 {
		if err := e.grow(ctx, missing); err != nil {
			return err
		}
		d = e.described.Load()
	}
	w := e.writes(d, b)
	return e.pool.SendBatch(ctx, &w.batch).Close()
}

// writes is the statements of a commit. They go out together and are one transaction, since
// no other begins or ends among them.
type writes struct {
	engine      *Engine
	description *relational.Description
	batch       pgx.Batch
}

func (e *Engine) writes(d *relational.Description, b *storage.Batch) *writes {
	w := &writes{engine: e, description: d}
	for _, h := range *e.membership.held.Load() {
		w.batch.Queue("SELECT "+e.own("_fence")+"($1, $2)", h.name, h.generation)
	}
	w.addRecords(b.Records)
	w.evict(b.Evict)
	w.addEvents(b.Events)
	w.addOutbox(b.Outbox)
	w.addMeta(b.Meta)
	w.addFeed(b.FeedID, b.Feed)
	return w
}

// demand queues a condition without which nothing is stored.
func (w *writes) demand(condition, code, what string, args ...any) {
	w.batch.Queue("SELECT "+w.engine.own("_demand")+"("+condition+", '"+code+"', '"+what+"')", args...)
}

func (w *writes) addRecords(records []storage.RecordWrite) {
	if len(records) == 0 {
		return
	}
	// In one order, so that commits that meet wait for each other in turn.
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b storage.RecordWrite) int { return a.Record.Entity.Compare(b.Record.Entity.ULID) })
	w.demand("(SELECT description FROM "+w.engine.own("_ankurah")+") = $1", codeOutdated, "the tables have changed", w.description.Version)
	var created, updated recordColumns
	for i := range records {
		if rec := records[i].Record; len(records[i].Expect) == 0 {
			created.add(rec, "")
		} else {
			updated.add(rec, relational.HeadText(records[i].Expect))
		}
	}
	if len(updated.ids) > 0 {
		own := w.engine.own("_records")
		if len(updated.ids) > 1 { // they are locked in their order before any is changed
			w.batch.Queue("SELECT FROM "+own+" WHERE id = ANY($1) ORDER BY id FOR UPDATE", updated.ids)
		}
		w.batch.Queue("WITH w AS (UPDATE "+own+" AS r SET head = u.head, record = u.record"+
			" FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS u(id, expect, head, record)"+
			" WHERE r.id = u.id AND r.head = u.expect RETURNING 1)"+
			" SELECT "+w.engine.own("_demand")+"((SELECT count(*) FROM w) = $5, '"+codeConflict+"', 'a record has another head')",
			updated.ids, updated.expects, updated.heads, updated.records, len(updated.ids))
	}
	if len(created.ids) > 0 {
		w.batch.Queue("INSERT INTO "+w.engine.own("_records")+" (id, collection, head, record) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])",
			created.ids, created.collections, created.heads, created.records)
	}
	w.addRows(records)
}

// recordColumns is records column by column, as one statement takes many rows.
type recordColumns struct {
	ids, collections, expects, heads []string
	records                          [][]byte
}

func (c *recordColumns) add(rec *proto.Record, expect string) {
	c.ids = append(c.ids, rec.Entity.String())
	c.collections = append(c.collections, rec.Collection)
	c.expects = append(c.expects, expect)
	c.heads = append(c.heads, relational.HeadText(rec.State.Head))
	c.records = append(c.records, proto.AppendRecord(nil, rec))
}

// addRows writes the collections' own tables.
func (w *writes) addRows(records []storage.RecordWrite) {
	byCollection := map[string][]*proto.Record{}
	var order []string
	for i := range records {
		rec := records[i].Record
		if byCollection[rec.Collection] == nil {
			order = append(order, rec.Collection)
		}
		byCollection[rec.Collection] = append(byCollection[rec.Collection], rec)
	}
	slices.Sort(order)
	for _, collection := range order {
		w.upsert(w.description.Tables[collection], byCollection[collection])
	}
}

func (w *writes) upsert(t *relational.Table, records []*proto.Record) {
	var ids, gone []string
	var odd []bool
	columns := make([]arrayOf, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = newArray(c.Type)
	}
	for _, rec := range records {
		if rec.State.Deleted() {
			gone = append(gone, rec.Entity.String())
			continue
		}
		args, isOdd := relational.Postgres.Row(t, rec)
		ids, odd = append(ids, rec.Entity.String()), append(odd, isOdd)
		for i, arg := range args {
			columns[i].add(arg)
		}
	}
	if len(gone) > 0 {
		w.batch.Queue("DELETE FROM "+w.engine.reader.Table(t)+` WHERE "id" = ANY($1)`, gone)
	}
	if len(ids) == 0 {
		return
	}
	names, values, sets := `"id", "_odd"`, "$1::text[], $2::boolean[]", `"_odd" = EXCLUDED."_odd"`
	args := []any{ids, odd}
	for i, c := range t.Columns {
		args = append(args, columns[i].slice())
		name := relational.Quote(c.Name)
		names += ", " + name
		values += ", $" + strconv.Itoa(len(args)) + "::" + relational.Postgres.ParameterType(c.Type, true)
		sets += ", " + name + " = EXCLUDED." + name
	}
	w.batch.Queue("INSERT INTO "+w.engine.reader.Table(t)+" ("+names+") SELECT * FROM unnest("+values+`) ON CONFLICT ("id") DO UPDATE SET `+sets, args...)
}

func (w *writes) evict(entities []id.EntityID) {
	if len(entities) == 0 {
		return
	}
	ids := relational.Texts(entities)
	w.demand("(SELECT description FROM "+w.engine.own("_ankurah")+") = $1", codeOutdated, "the tables have changed", w.description.Version)
	w.batch.Queue("DELETE FROM "+w.engine.own("_records")+" WHERE id = ANY($1)", ids)
	for _, t := range w.description.Tables {
		w.batch.Queue("DELETE FROM "+w.engine.reader.Table(t)+` WHERE "id" = ANY($1)`, ids)
	}
}

func (w *writes) addEvents(events []*proto.Event) {
	if len(events) == 0 {
		return
	}
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b *proto.Event) int { return a.ID.Compare(b.ID.ULID) })
	var ids, entities []string
	var data [][]byte
	for _, ev := range events {
		ids, entities = append(ids, ev.ID.String()), append(entities, ev.Entity.String())
		data = append(data, proto.AppendEvent(make([]byte, 0, ev.EncodedSize()), ev))
	}
	w.batch.Queue("INSERT INTO "+w.engine.own("_events")+" SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[]) ON CONFLICT (id) DO NOTHING", ids, entities, data)
}

func (w *writes) addOutbox(entries []storage.OutboxEntry) {
	written, removed := lastOf(entries, func(e storage.OutboxEntry) (uint64, []byte) { return e.Seq, e.Data })
	var seqs, gone []string
	var data [][]byte
	for _, p := range written {
		seqs, data = append(seqs, relational.Postgres.Sequence(p.key)), append(data, p.value)
	}
	for _, seq := range removed {
		gone = append(gone, relational.Postgres.Sequence(seq))
	}
	if len(gone) > 0 {
		w.batch.Queue("DELETE FROM "+w.engine.own("_outbox")+" WHERE seq = ANY($1::text[]::numeric[])", gone)
	}
	if len(seqs) > 0 {
		w.batch.Queue("INSERT INTO "+w.engine.own("_outbox")+" SELECT * FROM unnest($1::text[]::numeric[], $2::bytea[]) ON CONFLICT (seq) DO UPDATE SET data = EXCLUDED.data", seqs, data)
	}
}

func (w *writes) addMeta(entries []storage.MetaEntry) {
	written, removed := lastOf(entries, func(e storage.MetaEntry) (string, []byte) { return e.Key, e.Value })
	var keys, gone, values [][]byte
	for _, p := range written {
		keys, values = append(keys, []byte(p.key)), append(values, p.value)
	}
	for _, key := range removed {
		gone = append(gone, []byte(key))
	}
	if len(gone) > 0 {
		w.batch.Queue("DELETE FROM "+w.engine.own("_meta")+" WHERE key = ANY($1)", gone)
	}
	if len(keys) > 0 {
		w.batch.Queue("INSERT INTO "+w.engine.own("_meta")+" SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value", keys, values)
	}
}

// pair is something to be written under a key.
type pair[K cmp.Ordered] struct {
	key   K
	value []byte
}

// lastOf returns what entries write and remove in the end: a statement changes a row once.
func lastOf[E any, K cmp.Ordered](entries []E, split func(E) (K, []byte)) (written []pair[K], removed []K) {
	last := map[K][]byte{}
	for _, entry := range entries {
		k, v := split(entry)
		last[k] = v
	}
	for k, v := range last {
		if v == nil {
			removed = append(removed, k)
		} else {
			written = append(written, pair[K]{k, v})
		}
	}
	slices.Sort(removed)
	slices.SortFunc(written, func(a, b pair[K]) int { return cmp.Compare(a.key, b.key) })
	return written, removed
}

func (w *writes) addFeed(feed id.NodeID, entries []*proto.FeedEntry) {
	if len(entries) == 0 {
		return
	}
	var seqs []string
	var data [][]byte
	for _, entry := range entries {
		seqs, data = append(seqs, relational.Postgres.Sequence(entry.Seq)), append(data, proto.AppendFeedEntry(nil, entry))
	}
	w.batch.Queue("INSERT INTO "+w.engine.own("_feed")+" SELECT $1::text, * FROM unnest($2::text[]::numeric[], $3::bytea[])", feed.String(), seqs, data)
}

// isStored says whether a batch whose commit had no answer is there. Its feed entries tell, which
// nobody else writes; without any, the heads do, as long as nobody has gone on from them.
func (e *Engine) isStored(ctx context.Context, b *storage.Batch) (stored bool, err error) {
	switch {
	case len(b.Feed) > 0:
		entry := b.Feed[0]
		err = e.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+e.own("_feed")+" WHERE feed = $1 AND seq = $2::text::numeric AND entry = $3)",
			b.FeedID.String(), relational.Postgres.Sequence(entry.Seq), proto.AppendFeedEntry(nil, entry)).Scan(&stored)
	default: // what has no mark may be done twice
		var ids, heads []string
		for i := range b.Records {
			if rec := b.Records[i].Record; !rec.State.Head.Equal(b.Records[i].Expect) {
				ids, heads = append(ids, rec.Entity.String()), append(heads, relational.HeadText(rec.State.Head))
			}
		}
		if len(ids) == 0 {
			return false, nil
		}
		err = e.pool.QueryRow(ctx, "SELECT count(*) = $3 FROM "+e.own("_records")+" r JOIN unnest($1::text[], $2::text[]) AS u(id, head) ON r.id = u.id AND r.head = u.head",
			ids, heads, len(ids)).Scan(&stored)
	}
	if err != nil {
		return false, fmt.Errorf("look whether a commit was stored: %w", err)
	}
	return stored, nil
}
