package bridge_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// state returns what a page knows of a query's window; the caller holds mu.
func (p *page) state(query uint64) *frame.WindowState {
	for _, m := range slices.Backward(p.log) {
		if d, ok := m.(*frame.Delta); ok && d.Query == query && !d.More {
			return d.Window
		}
	}
	return nil
}

// pane waits until a query shows the given rows, live, around an anchor.
func (p *page) pane(query uint64, anchor int, before, after bool, want ...string) {
	p.t.Helper()
	p.until("the window "+strings.Join(want, " "), func() bool {
		s := p.state(query)
		return s != nil && slices.Equal(names(p.rows[query]), want) && s.Anchor == anchor && s.Before == before && s.After == after
	})
}

// letters adds an album for each letter, on the server.
func (w *world) letters(list string) map[string]id.EntityID {
	w.t.Helper()
	if err := w.server.Register(w.t.Context(), album); err != nil {
		w.t.Fatal(err)
	}
	ids := map[string]id.EntityID{}
	tx := w.server.Context(policy.Principal{}).Begin()
	for i, letter := range strings.Split(list, "") {
		e, err := tx.Create(w.t.Context(), "album", []proto.Field{{Name: "name", Value: value.String(letter)}, {Name: "year", Value: value.Int(int64(i))}})
		if err != nil {
			w.t.Fatal(err)
		}
		ids[letter] = e
	}
	if _, err := tx.Commit(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return ids
}

// A page opens a window, moves and resizes it by everything that an anchor can be, and
// changes what it shows in place; with each step come its state and the rows that differ.
func TestWindow(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	ids := w.letters("abcdefghijklmnop")
	p := w.join()
	p.send(&frame.Subscribe{Query: 1, Collection: "album", Text: "ORDER BY name", Window: &frame.Window{After: 3}})
	p.pane(1, 0, false, true, "a", "b", "c")
	p.send(&frame.Move{Query: 1, Window: &frame.Window{After: 5}})
	p.pane(1, 0, false, true, "a", "b", "c", "d", "e")
	p.send(&frame.Move{Query: 1, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorEntity, Entity: ids["d"]}, Before: 2, After: 2}})
	p.pane(1, 2, true, true, "b", "c", "d", "e")
	p.mu.Lock()
	last := p.state(1).Last
	p.mu.Unlock()
	p.send(&frame.Move{Query: 1, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorCursor, Cursor: last}, Before: 2, After: 2}})
	p.pane(1, 2, true, true, "c", "d", "e", "f")
	p.send(&frame.Move{Query: 1, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorIndex, Index: 10}, Before: 1, After: 2}})
	p.pane(1, 1, true, true, "j", "k", "l")
	p.send(&frame.Move{Query: 1, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorEnd}, Before: 2}})
	p.pane(1, 2, true, false, "o", "p")

	// The anchor stays while rows come, go and move on either side of it.
	p.send(&frame.Move{Query: 1, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorEntity, Entity: ids["h"]}, Before: 2, After: 2}})
	p.pane(1, 2, true, true, "f", "g", "h", "i")
	p.commitAlbums(1, albumRow("ga", 1), albumRow("ha", 1))
	p.pane(1, 2, true, true, "g", "ga", "h", "ha")
	p.ask(&frame.Mark{Tx: 2, Collection: "album", Entity: ids["h"], Deleted: true}, &frame.Commit{Request: p.next(), Tx: 2})
	p.pane(1, 2, true, true, "g", "ga", "ha", "i")

	// In place: another selection with a window, one without, and back.
	p.send(&frame.Select{Query: 1, Text: "year < ? ORDER BY name DESC", Params: frame.Params{Positional: []frame.Param{{Value: value.Int(4)}}}, Window: &frame.Window{After: 2}})
	p.pane(1, 0, false, true, "ha", "ga")
	p.send(&frame.Select{Query: 1, Text: "year > 13"})
	p.until("no window", func() bool { return p.state(1) == nil && slices.Equal(names(p.rows[1]), []string{"o", "p"}) })
	p.send(&frame.Move{Query: 1, Window: &frame.Window{After: 1}})
	p.pane(1, 0, false, true, "o")
	p.send(&frame.Move{Query: 1})
	p.shows(1, "o", "p")

	// Locate, for a scrollbar.
	located := p.ask(&frame.Locate{Request: p.next(), Collection: "album", Text: "ORDER BY name", Index: 1000}).(*frame.Located)
	if located.Index != 16 || located.Cursor == "" {
		t.Errorf("the last of 17 rows is %+v", located)
	}
	p.send(&frame.Subscribe{Query: 2, Collection: "album", Text: "ORDER BY name", Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorCursor, Cursor: located.Cursor}, Before: 1, After: 9}})
	p.pane(2, 1, true, false, "o", "p")
	if err := p.refused(&frame.Locate{Request: p.next(), Collection: "album", Text: "ORDER BY nmae"}); err.Code != "selection" || err.Place == nil {
		t.Errorf("a selection that is none: %+v", err)
	}
}

// B3: what is wrong with a window is told, and the rows that there are stay true.
func TestWindowThatCannotBe(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	w.letters("abc")
	p := w.join()
	p.send(&frame.Subscribe{Query: 1, Collection: "album", Text: "ORDER BY name", Window: &frame.Window{After: 2}})
	p.pane(1, 0, false, true, "a", "b")
	model, _ := w.server.Model("album")
	byYear, err := ankql.Parse("ORDER BY year")
	if err == nil {
		byYear, err = byYear.Check(model)
	}
	if err != nil {
		t.Fatal(err)
	}
	foreign := byYear.Cursor(&proto.Record{State: &proto.State{}}, id.EntityID{}, nil).String()
	for name, m := range map[string]frame.Message{
		"selection":      &frame.Select{Query: 1, Text: "ORDER BY nmae"},
		"foreign cursor": &frame.Move{Query: 1, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorCursor, Cursor: foreign}, After: 1}},
		"no cursor":      &frame.Move{Query: 1, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorCursor, Cursor: "?"}, After: 1}},
		"limit":          &frame.Select{Query: 1, Text: "LIMIT 4", Window: &frame.Window{After: 1}},
		"no entity":      &frame.Move{Query: 1, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorEntity}, After: 1}},
	} {
		before := len(p.seen())
		p.send(m)
		p.until(name, func() bool {
			return slices.ContainsFunc(p.log[before:], func(m frame.Message) bool {
				d, ok := m.(*frame.Delta)
				return ok && d.Query == 1 && d.Err != nil && len(d.Changes) == 0
			})
		})
	}
	p.commitAlbums(1, albumRow("aa", 1))
	p.shows(1, "a", "aa")
	before := len(p.seen())
	p.send(&frame.Move{Query: 77, Window: &frame.Window{}})
	p.until("no such query", func() bool {
		return slices.ContainsFunc(p.log[before:], func(m frame.Message) bool { _, ok := m.(*frame.Failed); return ok })
	})
}

// TestWindowEqualsRecomputed moves a page's window at random while the page and the server
// change rows: whenever all is quiet it shows what the server has there.
func TestWindowEqualsRecomputed(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { windowRecomputed(t, rand.New(rand.NewPCG(seed, 5))) })
	}
}

func windowRecomputed(t *testing.T, rnd *rand.Rand) {
	w := newWorld(t, nil, bridge.Limits{PartRows: 3})
	w.letters("abcdefghijklmnopqrstuvwxyz")
	p := w.join()
	server := w.server.Context(policy.Principal{})
	order, err := ankql.Parse("ORDER BY year DESC")
	if err != nil {
		t.Fatal(err)
	}
	all := func() []*core.View {
		rows, err := server.Fetch(t.Context(), "album", order)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	window := frame.Window{After: 4}
	anchor := "" // a sort key
	key := func(v *core.View) string { return string(order.AppendSortKey(nil, v, v.ID())) }
	p.send(&frame.Subscribe{Query: 1, Collection: "album", Text: "ORDER BY year DESC", Window: &window})
	for step := range 60 {
		rows := all()
		pick := rows[rnd.IntN(len(rows))]
		year := value.Int(rnd.Int64N(12))
		switch rnd.IntN(6) {
		case 0:
			window = frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorEntity, Entity: pick.ID()}, Before: rnd.Uint64N(5), After: 1 + rnd.Uint64N(5)}
			anchor = key(pick)
			p.send(&frame.Move{Query: 1, Window: &window})
		case 1:
			window.Before, window.After = rnd.Uint64N(8), 1+rnd.Uint64N(8)
			if window.Anchor.Kind == frame.AnchorEntity { // look it up no second time
				p.mu.Lock()
				window.Anchor = frame.Anchor{Kind: frame.AnchorCursor, Cursor: p.state(1).Position}
				p.mu.Unlock()
			}
			p.send(&frame.Move{Query: 1, Window: &window})
		case 2, 3:
			committed := p.ask(&frame.Edit{Tx: uint64(step + 1), Collection: "album", Entity: pick.ID(), Columns: []string{"year"}, Values: []value.Value{year}},
				&frame.Commit{Request: p.next(), Tx: uint64(step + 1)}).(*frame.Committed)
			p.until("synced", func() bool {
				return slices.ContainsFunc(p.log, func(m frame.Message) bool {
					s, ok := m.(*frame.Settled)
					return ok && s.Transaction == committed.Transaction
				})
			})
		default:
			tx := server.Begin()
			if rnd.IntN(3) == 0 && len(rows) > 10 {
				err = tx.Delete(t.Context(), "album", pick.ID())
			} else if rnd.IntN(2) == 0 {
				_, err = tx.Create(t.Context(), "album", []proto.Field{{Name: "name", Value: value.String(fmt.Sprint(step))}, {Name: "year", Value: year}})
			} else {
				err = tx.Set(t.Context(), "album", pick.ID(), []proto.Field{{Name: "year", Value: year}})
			}
			if err == nil {
				_, err = tx.Commit(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		rows = all()
		at := slices.IndexFunc(rows, func(v *core.View) bool { return key(v) >= anchor })
		if at < 0 {
			at = len(rows)
		}
		low, high := max(0, at-int(window.Before)), min(len(rows), at+int(window.After))
		p.until(fmt.Sprintf("step %d", step), func() bool {
			s := p.state(1)
			return s != nil && s.Anchor == at-low && s.Before == (low > 0) && s.After == (high < len(rows)) &&
				slices.EqualFunc(p.rows[1], rows[low:high], func(r row, v *core.View) bool { return r.entity == v.ID() })
		})
	}
}
