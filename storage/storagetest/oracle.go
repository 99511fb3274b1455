package storagetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// differential makes one random stream of operations against an engine and against the
// memory engine, and demands that both answer alike.
type differential struct {
	t      testing.TB
	seed   uint64
	world  *World
	oracle storage.Engine
	engine storage.Engine

	heads    map[id.EntityID]*proto.Record // what the stream believes is stored
	entities []id.EntityID
	events   []id.EventID
	feed     uint64
	outbox   uint64
}

func newDifferential(t testing.TB, seed uint64, e storage.Engine) *differential {
	return &differential{
		t: t, seed: seed, world: NewWorld(seed), oracle: memory.New(), engine: e,
		heads: map[id.EntityID]*proto.Record{},
	}
}

// Compare makes a random stream of commits, some of which conflict, and reads, all of
// which follow from seed, against an empty engine and against the memory engine; the
// test fails where they answer differently. The engine stays the caller's.
func Compare(t testing.TB, e storage.Engine, seed uint64, steps int) {
	t.Helper()
	d := newDifferential(t, seed, e)
	for range steps {
		d.commit()
		d.read()
	}
	d.readEverything()
}

func agreesWithTheOracle(t *testing.T, e storage.Engine) { Compare(t, e, 50, 250) }

func reopenedAgreesWithTheOracle(t *testing.T, open func(t testing.TB) storage.Engine) {
	d := newDifferential(t, 51, nil)
	for range 8 {
		d.engine = open(t)
		d.readEverything()
		for range 20 {
			d.commit()
			d.read()
		}
		if err := d.engine.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
}

func (d *differential) commit() {
	d.t.Helper()
	b := d.batch()
	want := d.oracle.Commit(d.t.Context(), b)
	got := d.engine.Commit(d.t.Context(), b)
	if (want == nil) != (got == nil) || errors.Is(want, storage.ErrConflict) != errors.Is(got, storage.ErrConflict) {
		d.t.Fatalf("seed %d: commit answers %v, the oracle %v", d.seed, got, want)
	}
	if want != nil {
		return
	}
	for _, w := range b.Records {
		d.heads[w.Record.Entity] = w.Record
	}
	for _, e := range b.Evict {
		delete(d.heads, e)
	}
}

// batch makes a random batch, now and then one that conflicts.
func (d *differential) batch() *storage.Batch {
	w, b := d.world, &storage.Batch{FeedID: d.world.Node}
	written := map[id.EntityID]bool{}
	for range w.Rand.IntN(4) {
		d.addRecord(b, written)
	}
	if w.Rand.IntN(5) == 0 && len(d.entities) > 0 {
		if e := pick(w, d.entities); !written[e] {
			b.Evict = append(b.Evict, e)
		}
	}
	if w.Rand.IntN(2) == 0 {
		if d.feed++; w.Rand.IntN(12) == 0 {
			d.feed-- // the number is taken, unless it is the first
		}
		b.Feed = append(b.Feed, &proto.FeedEntry{Seq: d.feed, Transaction: w.Transaction()})
	}
	if w.Rand.IntN(3) == 0 {
		d.outbox += w.Rand.Uint64N(3)
		b.Outbox = append(b.Outbox, storage.OutboxEntry{Seq: d.outbox, Data: pick(w, [][]byte{nil, {}, []byte("data")})})
	}
	if w.Rand.IntN(3) == 0 {
		b.Meta = append(b.Meta, storage.MetaEntry{Key: pick(w, metaKeys), Value: pick(w, [][]byte{nil, {}, []byte("x")})})
	}
	return b
}

var metaKeys = []string{"a", "b", "ab", ""}

func (d *differential) addRecord(b *storage.Batch, written map[id.EntityID]bool) {
	w := d.world
	var rec *proto.Record
	if w.Rand.IntN(3) > 0 && len(d.entities) > 0 {
		rec = d.heads[pick(w, d.entities)]
	}
	if rec != nil && written[rec.Entity] {
		return
	}
	var ev *proto.Event
	var write storage.RecordWrite
	switch {
	case rec == nil:
		ev, write.Record = w.Create(pick(w, []string{Albums, Albums, "artist"}), w.AlbumFields()...)
		d.entities = append(d.entities, ev.Entity)
	case w.Rand.IntN(6) == 0:
		ev, write.Record = w.Delete(rec)
		write.Expect = rec.State.Head
	default:
		ev, write.Record = w.Edit(rec, w.AlbumFields()...)
		write.Expect = rec.State.Head
	}
	if w.Rand.IntN(20) == 0 {
		write.Expect = proto.NewClock(ev.ID) // not the stored head
	}
	if w.Rand.IntN(8) > 0 { // else the record comes without its event
		b.Events = append(b.Events, ev)
		d.events = append(d.events, ev.ID)
	}
	written[write.Record.Entity] = true
	b.Records = append(b.Records, write)
}

// same makes one call of both engines and compares what comes back.
func same[T any](d *differential, what string, call func(e storage.Engine) (T, error), render func(T) []string) {
	d.t.Helper()
	want, wantErr := call(d.oracle)
	got, gotErr := call(d.engine)
	if wantErr != nil || gotErr != nil {
		d.t.Fatalf("seed %d: %s: %v, and from the oracle %v", d.seed, what, gotErr, wantErr)
	}
	if g, w := render(got), render(want); !slices.Equal(g, w) {
		d.t.Fatalf("seed %d: %s:\n%s\nthe oracle has\n%s", d.seed, what, lines(g), lines(w))
	}
}

func (d *differential) read() {
	d.t.Helper()
	w := d.world
	ctx := d.t.Context()
	if len(d.entities) > 0 {
		ids := []id.EntityID{pick(w, d.entities), pick(w, d.entities), w.Entity()}
		same(d, "records", func(e storage.Engine) ([]*proto.Record, error) { return e.Records(ctx, ids) }, recordLines)
		after, limit := id.EventID(pick(w, d.entities)), w.Rand.IntN(5)
		same(d, "entity events", func(e storage.Engine) ([]*proto.Event, error) {
			return e.EntityEvents(ctx, ids[0], after, limit)
		}, eventLines)
	}
	d.scan(pick(w, Selections), 1+w.Rand.IntN(20))
}

func (d *differential) scan(text string, limit int) {
	d.t.Helper()
	s := selection(d.t, text)
	same(d, text, func(e storage.Engine) ([]*proto.Record, error) { return scanAll(d.t, e, s, nil, limit), nil }, recordLines)
}

func (d *differential) readEverything() {
	d.t.Helper()
	ctx := d.t.Context()
	entities := slices.Clone(d.entities)
	slices.SortFunc(entities, func(a, b id.EntityID) int { return cmp.Compare(a.String(), b.String()) })
	same(d, "all records", func(e storage.Engine) ([]*proto.Record, error) { return e.Records(ctx, entities) }, recordLines)
	same(d, "all events", func(e storage.Engine) ([]*proto.Event, error) { return e.Events(ctx, d.events) }, eventLines)
	for _, entity := range entities {
		same(d, "history", func(e storage.Engine) ([]*proto.Event, error) { return e.EntityEvents(ctx, entity, id.EventID{}, 0) }, eventLines)
	}
	for _, text := range Selections {
		d.scan(text, 50)
	}
	same(d, "feed", func(e storage.Engine) ([]*proto.FeedEntry, error) { return e.Feed(ctx, d.world.Node, 0, 0) }, feedLines)
	same(d, "outbox", func(e storage.Engine) ([]storage.OutboxEntry, error) { return e.Outbox(ctx, 0, 0) }, outboxLines)
	same(d, "meta", func(e storage.Engine) ([][]byte, error) { return e.Meta(ctx, metaKeys...) }, func(values [][]byte) []string {
		return []string{fmt.Sprintf("%#v", values)}
	})
}
