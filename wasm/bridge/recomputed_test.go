package bridge_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// TestPagesEqualRecomputed is core's test of that name as a page has it: what the frames that
// it gets add up to is the naive answer, whoever writes, and however slowly it takes them in.
func TestPagesEqualRecomputed(t *testing.T) {
	ankqltest.Each(t, 15, func(t *testing.T, g *ankqltest.Gen) {
		synctest.Test(t, func(t *testing.T) { recomputedPages(t, g) })
	})
}

// reading is a live query of a page.
type reading struct {
	page       *page
	number     uint64
	collection string
	sel        *ankql.Selection
}

type pageStory struct {
	*world
	t     *testing.T
	g     *ankqltest.Gen
	pages []*page
	open  []reading
	tx    uint64
	last  []string
}

// choosy refuses a note.
type choosy struct{ policy.Agent }

func (choosy) Write(_ policy.Principal, w policy.Write) error {
	if note, _ := w.After.Field("note").AsString(); note == "refuse" {
		return policy.Denied("the note says so")
	}
	return nil
}

func recomputedPages(t *testing.T, g *ankqltest.Gen) {
	g.Full = ankqltest.Pick(g, 12, 50)
	limits := bridge.Limits{}
	if g.IntN(2) == 0 { // change sets come in parts, and are dropped now and then
		limits = bridge.Limits{PartRows: 2, Changes: 20, Window: 4000}
	}
	s := &pageStory{world: newWorld(t, choosy{policy.Permissive()}, limits), t: t, g: g}
	var models []*schema.Model
	for _, c := range g.World.Models.Collections() {
		models = append(models, g.World.Models[c])
	}
	if err := s.server.Register(t.Context(), models...); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p := s.visit()
		p.send(&frame.Hello{Request: p.next(), Name: "x", URL: "server", Models: models})
		s.pages = append(s.pages, p)
	}
	s.settle()
	for range g.Full {
		s.write(nil)
	}
	for range 10 {
		s.subscribe()
	}
	for range 40 {
		s.step()
	}
	for _, p := range s.pages {
		p.release()
	}
	s.settle()
	s.check()
}

func (s *pageStory) settle() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

func (s *pageStory) step() {
	p := ankqltest.Pick(s.g, s.pages...)
	switch s.g.IntN(10) {
	case 0:
		p.hold()
	case 1, 2:
		p.release()
	case 3:
		i := s.g.IntN(len(s.open))
		s.open[i].page.send(&frame.Unsubscribe{Query: s.open[i].number})
		s.open = slices.Delete(s.open, i, i+1)
		s.subscribe()
	case 4, 5, 6:
		s.write(nil)
	default:
		s.write(p)
	}
	if s.g.IntN(3) > 0 {
		s.settle()
		s.check()
	}
}

func (s *pageStory) subscribe() {
	s.tx++
	c := ankqltest.Pick(s.g, s.g.World.Models.Collections()...)
	r := reading{page: ankqltest.Pick(s.g, s.pages...), number: s.tx, collection: c, sel: s.g.Selection(c)}
	if len(s.open) > 0 && s.g.IntN(4) == 0 {
		same := ankqltest.Pick(s.g, s.open...)
		r.collection, r.sel = same.collection, same.sel
	}
	text, values := r.sel.Text()
	var params frame.Params
	for _, v := range values {
		params.Positional = append(params.Positional, frame.Param{Value: v})
	}
	r.page.send(&frame.Subscribe{Query: r.number, Collection: r.collection, Text: text, Params: params})
	s.open = append(s.open, r)
}

// recall makes the generator's world what the durable node has.
func (s *pageStory) recall() {
	s.t.Helper()
	w := ankqltest.NewWorld(s.g.World.Models)
	for _, c := range w.Models.Collections() {
		rows, err := s.server.Context(policy.Principal{}).Fetch(s.t.Context(), c, &ankql.Selection{Where: ankql.True, Limit: ankql.NoLimit})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, v := range rows {
			r := &ankqltest.Row{Collection: c, ID: v.ID(), Values: map[string]value.Value{}}
			for _, p := range w.Models[c].Properties {
				r.Values[p.Name] = v.Field(p.Name)
			}
			w.Put(r)
		}
	}
	s.g.World = w
}

// write commits a random transaction: on a page, or, where that is nil, on the durable node.
func (s *pageStory) write(p *page) {
	s.t.Helper()
	s.recall()
	s.last = nil
	ops := s.g.Sweep()
	if s.g.IntN(6) > 0 {
		ops = nil
		for range 1 + s.g.IntN(4) {
			op := s.g.Op()
			ops = append(ops, op)
			if op.Kind != ankqltest.Create {
				s.g.World.Do(op, op.Entity)
			}
		}
	}
	for _, op := range ops {
		s.last = append(s.last, op.String())
	}
	if p == nil {
		s.writeHere(ops)
		return
	}
	s.tx++
	tx := s.tx
	var messages []frame.Message
	for _, op := range ops {
		columns := slices.Sorted(maps.Keys(op.Set))
		var row []value.Value
		for _, name := range columns {
			row = append(row, op.Set[name])
		}
		if i := slices.Index(columns, "note"); i >= 0 && s.g.IntN(5) == 0 {
			row[i] = value.String("refuse")
		}
		switch op.Kind {
		case ankqltest.Create:
			messages = append(messages, &frame.Create{Request: p.next(), Tx: tx, Collection: op.Collection, Columns: columns, Rows: [][]value.Value{row}})
		case ankqltest.Edit:
			messages = append(messages, &frame.Edit{Tx: tx, Collection: op.Collection, Entity: op.Entity, Columns: columns, Values: row})
		default:
			messages = append(messages, &frame.Mark{Tx: tx, Collection: op.Collection, Entity: op.Entity, Deleted: op.Kind == ankqltest.Delete})
		}
	}
	p.send(append(messages, &frame.Commit{Request: p.next(), Tx: tx})...)
}

func (s *pageStory) writeHere(ops []ankqltest.Op) {
	s.t.Helper()
	ctx := s.t.Context()
	tx := s.server.Context(policy.Principal{}).Begin()
	for _, op := range ops {
		var set []proto.Field
		for _, name := range slices.Sorted(maps.Keys(op.Set)) {
			set = append(set, proto.Field{Name: name, Value: op.Set[name]})
		}
		var err error
		switch op.Kind {
		case ankqltest.Create:
			_, err = tx.Create(ctx, op.Collection, set)
		case ankqltest.Edit:
			err = tx.Set(ctx, op.Collection, op.Entity, set)
		case ankqltest.Delete:
			err = tx.Delete(ctx, op.Collection, op.Entity)
		case ankqltest.Restore:
			err = tx.Restore(ctx, op.Collection, op.Entity)
		}
		if err != nil {
			s.t.Fatalf("%s: %v", op, err)
		}
	}
	if _, err := tx.Commit(ctx); err != nil && core.KindOf(err) != core.KindDenied {
		s.t.Fatal(err)
	}
}

// check holds what the pages that take in their frames show against the world.
func (s *pageStory) check() {
	s.t.Helper()
	s.recall()
	for _, r := range s.open {
		if problem := r.problem(s.g.World); problem != "" {
			s.t.Fatalf("%s over %s: %s\nlast written\n%s", r.sel, r.collection, problem, strings.Join(s.last, "\n"))
		}
	}
}

func (r reading) problem(w *ankqltest.World) string {
	p := r.page
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held {
		return ""
	}
	if p.status[r.number] != frame.QueryLive || len(p.parts[r.number]) > 0 {
		return fmt.Sprintf("status %v, %d changes without an end", p.status[r.number], len(p.parts[r.number]))
	}
	want := w.Fetch(r.collection, r.sel)
	got := p.rows[r.number]
	if !slices.EqualFunc(got, want, func(a row, b *ankqltest.Row) bool { return a.entity == b.ID }) {
		var ids, expected []string
		for _, x := range got {
			ids = append(ids, x.entity.String())
		}
		for _, x := range want {
			expected = append(expected, x.String())
		}
		return "shows\n " + strings.Join(ids, "\n ") + "\nwant\n " + strings.Join(expected, "\n ")
	}
	for i, x := range got {
		for j, column := range p.columns[r.number] {
			if x.values[j] != want[i].Field(column) {
				return fmt.Sprintf("shows %s of %s as %s, want %s", column, x.entity, x.values[j], want[i].Field(column))
			}
		}
	}
	return ""
}
