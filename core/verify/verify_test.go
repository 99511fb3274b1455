package verify_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/core/verify"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// store is a sound store of some entities, with what was committed to it.
type store struct {
	t       *testing.T
	engine  storage.Engine
	w       *storagetest.World
	seq     uint64
	records []*proto.Record
}

func newStore(t *testing.T, entities int) *store {
	s := &store{t: t, engine: memory.New(), w: storagetest.NewWorld(1)}
	for range entities {
		ev, rec := s.w.Create([]string{"album", "artist"}[s.w.Rand.IntN(2)], s.w.AlbumFields()...)
		s.commit(ev, rec, nil)
		s.records = append(s.records, rec)
	}
	for i := range s.records {
		for range s.w.Rand.IntN(4) {
			ev, rec := s.w.Edit(s.records[i], s.w.AlbumFields()...)
			s.commit(ev, rec, s.records[i].State.Head)
			s.records[i] = rec
		}
	}
	ev, rec := s.w.Delete(s.records[0])
	s.commit(ev, rec, s.records[0].State.Head)
	s.records[0] = rec
	return s
}

func (s *store) commit(ev *proto.Event, rec *proto.Record, expect proto.Clock) {
	s.t.Helper()
	s.seq++
	s.batch(&storage.Batch{
		Events: []*proto.Event{ev}, Records: []storage.RecordWrite{{Record: rec, Expect: expect}}, FeedID: s.w.Node,
		Feed: []*proto.FeedEntry{{Seq: s.seq, Transaction: s.w.Transaction(), Changes: []proto.Change{{
			Collection: rec.Collection, Entity: rec.Entity, Rev: rec.Rev, Before: expect, After: rec.State.Head, Events: []id.EventID{ev.ID}}}}},
	})
}

func (s *store) batch(b *storage.Batch) {
	s.t.Helper()
	if err := s.engine.Commit(s.t.Context(), b); err != nil {
		s.t.Fatal(err)
	}
}

// rewrite replaces a record by one that no events have led to.
func (s *store) rewrite(i int, change func(rec *proto.Record)) {
	s.t.Helper()
	rec := *s.records[i]
	state := *rec.State
	state.Properties = slices.Clone(state.Properties)
	rec.State = &state
	change(&rec)
	s.batch(&storage.Batch{Records: []storage.RecordWrite{{Record: &rec, Expect: s.records[i].State.Head}}})
}

func (s *store) verify() *verify.Report {
	s.t.Helper()
	report, err := verify.Store(s.t.Context(), s.engine, verify.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

// A sound store has no findings, and is counted right.
func TestSoundStore(t *testing.T) {
	s := newStore(t, 300)
	r := s.verify()
	if r.Found != 0 || r.Entities != 300 || r.Deleted != 1 || r.Entries != s.seq || r.Events != s.seq || r.Collections["album"]+r.Collections["artist"] != 299 {
		t.Errorf("%+v", r)
	}
	if empty, err := verify.Store(t.Context(), memory.New(), verify.Options{}); err != nil || empty.Found != 0 {
		t.Errorf("an empty store: %+v, %v", empty, err)
	}
}

// Each kind of damage is found, under its name, and nothing else.
func TestDamageIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(s *store)
		want   []verify.Problem
	}{
		"value": {func(s *store) {
			s.rewrite(3, func(rec *proto.Record) { rec.State.Properties[0].Value = value.String("forged") })
		}, []verify.Problem{verify.WrongState}},
		"what merging takes": {func(s *store) {
			s.rewrite(3, func(rec *proto.Record) { rec.State.Properties[0].Data = s.w.Transaction().Bytes() })
		}, []verify.Problem{verify.WrongState}},
		"lost property": {func(s *store) {
			s.rewrite(3, func(rec *proto.Record) { rec.State.Properties = rec.State.Properties[1:] })
		}, []verify.Problem{verify.WrongState}},
		"invented property": {func(s *store) {
			s.rewrite(3, func(rec *proto.Record) {
				rec.State.Properties = append(rec.State.Properties, proto.PropertyState{Name: "zz", Kind: 1, Value: value.Int(1), Data: rec.State.Head[0].Bytes()})
			})
		}, []verify.Problem{verify.WrongState}},
		"head": {func(s *store) {
			s.rewrite(3, func(rec *proto.Record) { rec.State.Head = proto.Clock{id.EventID(s.w.Entity())} })
		}, []verify.Problem{verify.WrongHead}},
		"unconfirmed": {func(s *store) {
			s.rewrite(3, func(rec *proto.Record) { rec.Base = &proto.State{} })
		}, []verify.Problem{verify.Unconfirmed}},
		"revision": {func(s *store) {
			s.rewrite(3, func(rec *proto.Record) { rec.Rev += 7 })
		}, []verify.Problem{verify.FeedSum}},
		"record gone": {func(s *store) {
			s.batch(&storage.Batch{Evict: []id.EntityID{s.records[5].Entity}})
		}, []verify.Problem{verify.NoRecord, verify.FeedSum}},
		"record alone": {func(s *store) {
			_, rec := s.w.Create("album", s.w.AlbumFields()...)
			rec.Rev = 0
			s.batch(&storage.Batch{Records: []storage.RecordWrite{{Record: rec}}})
		}, []verify.Problem{verify.NoEvents}},
		"event that no feed names": {func(s *store) {
			ev, _ := s.w.Edit(s.records[4], s.w.AlbumFields()...)
			s.batch(&storage.Batch{Events: []*proto.Event{ev}})
		}, []verify.Problem{verify.WrongHead, verify.FeedSum}},
		"missing parent": {func(s *store) {
			_, unseen := s.w.Edit(s.records[4], s.w.AlbumFields()...)
			ev, rec := s.w.Edit(unseen, s.w.AlbumFields()...)
			rec.Rev--
			s.commit(ev, rec, s.records[4].State.Head)
		}, []verify.Problem{verify.MissingParent}},
		"another collection": {func(s *store) {
			other := *s.records[6]
			other.Collection = "label"
			ev, rec := s.w.Edit(&other, proto.Field{Name: "name", Value: value.String("x")})
			rec.Collection = s.records[6].Collection
			s.commit(ev, rec, s.records[6].State.Head)
		}, []verify.Problem{verify.WrongCollection}},
		"gap": {func(s *store) {
			s.seq += 3
			ev, rec := s.w.Create("album", s.w.AlbumFields()...)
			s.commit(ev, rec, nil)
		}, []verify.Problem{verify.FeedGap}},
		"entry of nothing": {func(s *store) {
			s.batch(&storage.Batch{FeedID: s.w.Node, Feed: []*proto.FeedEntry{{Seq: s.seq + 1, Transaction: s.w.Transaction(),
				Changes: []proto.Change{{Collection: "album", Entity: s.records[1].Entity, Rev: 1, Events: []id.EventID{id.EventID(s.w.Entity())}}}}}})
		}, []verify.Problem{verify.FeedNames, verify.FeedSum, verify.FeedSum}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			s := newStore(t, 20)
			c.damage(s)
			r := s.verify()
			var got []verify.Problem
			for _, f := range r.Findings {
				got = append(got, f.Problem)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v\n%v", got, c.want, r.Findings)
			}
		})
	}
}

// What cannot be read is one finding each, and the rest is verified.
func TestUnreadableRows(t *testing.T) {
	s := newStore(t, 30)
	bad := &unreadable{Engine: s.engine, records: map[id.EntityID]bool{s.records[2].Entity: true}, events: map[id.EntityID]bool{s.records[9].Entity: true}}
	s.rewrite(12, func(rec *proto.Record) { rec.State.Properties = nil })
	r, err := verify.Store(t.Context(), bad, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	count := map[verify.Problem]int{}
	for _, f := range r.Findings {
		count[f.Problem]++
	}
	if count[verify.Unreadable] < 2 || count[verify.WrongState] != 1 || count[verify.WrongHead]+count[verify.MissingParent] != 0 {
		t.Errorf("%v", r.Findings)
	}
}

// unreadable is an engine some of whose rows cannot be read.
type unreadable struct {
	storage.Engine
	records, events map[id.EntityID]bool
}

func (u *unreadable) WalkRecords(ctx context.Context, after id.EntityID, limit int) ([]storage.StoredRecord, error) {
	page, err := u.Engine.(storage.Walker).WalkRecords(ctx, after, limit)
	for i := range page {
		if u.records[page[i].Entity] {
			page[i].Record, page[i].Err = nil, storage.ErrCorrupt
		}
	}
	return page, err
}

func (u *unreadable) WalkEvents(ctx context.Context, after storage.EventKey, limit int) ([]storage.StoredEvent, error) {
	page, err := u.Engine.(storage.Walker).WalkEvents(ctx, after, limit)
	for i := range page {
		if u.events[page[i].Key.Entity] {
			page[i].Event, page[i].Err = nil, storage.ErrCorrupt
		}
	}
	return page, err
}

func (u *unreadable) Feeds(ctx context.Context) (map[id.NodeID]uint64, error) {
	return u.Engine.(storage.Walker).Feeds(ctx)
}
