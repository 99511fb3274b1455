package ankql_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/value"
)

// ids returns the rows' ids, which is what pages are compared by.
func ids(rows []*ankqltest.Row) string {
	list := make([]string, len(rows))
	for i, r := range rows {
		list[i] = r.ID.String()[20:]
	}
	return strings.Join(list, " ")
}

// sent returns a selection as another node reads it: printed, parsed and checked.
func sent(t *testing.T, w *ankqltest.World, collection string, s *ankql.Selection) *ankql.Selection {
	t.Helper()
	text, params := s.Text()
	args := make([]any, len(params))
	for i, p := range params {
		args[i] = p
	}
	parsed, err := ankql.Parse(text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	checked, err := parsed.CheckWith(w.Models[collection], w.Models)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return checked
}

// What comes after, from and before the position of any row is exactly what stands there in
// the order of all rows, whatever the keys: NULLs, several families in one JSON path,
// references. It is so as well for a position whose row has changed or gone since, since
// the position is compared, not the row.
func TestCursorSplitsTheOrder(t *testing.T) { // 197, 205
	ankqltest.Each(t, 400, func(t *testing.T, g *ankqltest.Gen) {
		w := g.World
		g.Fill("artist", 5)
		g.Fill("album", 25)
		g.NoLimit = true
		s := g.Selection("album")
		order := *s
		order.Where = ankql.True
		at := w.Fetch("album", &order)[g.IntN(25)] // perhaps not one of the selection
		text := s.Cursor(at, at.ID, w).String()
		cursor, err := ankql.ParseCursor(text)
		if err != nil {
			t.Fatal(err)
		}
		var after, from, before []*ankqltest.Row
		for _, r := range w.Fetch("album", s) {
			switch c := w.Compare(s, r, at); {
			case c < 0:
				before = append([]*ankqltest.Row{r}, before...)
			case c > 0:
				after = append(after, r)
			}
			if w.Compare(s, r, at) >= 0 {
				from = append(from, r)
			}
		}
		for _, page := range []struct {
			name string
			cut  func(ankql.Cursor) (*ankql.Selection, error)
			want []*ankqltest.Row
		}{{"after", s.After, after}, {"from", s.From, from}, {"before", s.Before, before}} {
			cut, err := page.cut(cursor)
			if err != nil {
				t.Fatalf("%s %s %s: %v", s, page.name, at, err)
			}
			for _, cut := range []*ankql.Selection{cut, sent(t, w, "album", cut)} {
				if got := w.Fetch("album", cut); ids(got) != ids(page.want) {
					t.Fatalf("%s\n%s %s\n%s\ngot  %s\nwant %s", s, page.name, at, cut, ids(got), ids(page.want))
				}
			}
		}
		key, err := s.AppendCursorKey(nil, cursor)
		if want := s.AppendSortKeyWith(nil, at, at.ID, w); err != nil || string(key) != string(want) {
			t.Fatalf("key %x, want %x, %v", key, want, err)
		}
	})
}

// A walk by pages of random size, forward and back, meets every row once, also while rows
// come, go and change between the pages: those that stay where they are are met once.
func TestPagesMeetEveryRowOnce(t *testing.T) { // 198, 199, 205
	ankqltest.Each(t, 150, func(t *testing.T, g *ankqltest.Gen) {
		g.NoLimit = true
		w := g.World
		g.Fill("artist", 3)
		g.Fill("album", 20)
		s := g.Selection("album")
		for _, back := range []bool{false, true} {
			edited := map[string]bool{}
			var met []*ankqltest.Row
			all := w.Fetch("album", s)
			page := s
			if back {
				page = s.Reversed()
			}
			for {
				limited := *page
				limited.Limit = 1 + g.IntN(6)
				rows := w.Fetch("album", &limited)
				met = append(met, rows...)
				if len(rows) < limited.Limit {
					break
				}
				last := rows[len(rows)-1]
				cursor := s.Cursor(last, last.ID, w)
				var err error
				if page, err = s.After(cursor); back {
					page, err = s.Before(cursor)
				}
				if err != nil {
					t.Fatal(err)
				}
				victim := ankqltest.Pick(g, w.Live("album")...)
				if edited[victim.ID.String()] = true; g.IntN(2) == 0 {
					w.Put(&ankqltest.Row{Collection: "album", ID: victim.ID, Deleted: true})
				} else {
					w.Put(g.Row("album", victim.ID))
				}
			}
			stay := func(r *ankqltest.Row) bool { return !edited[r.ID.String()] && r.Collection == "album" }
			if back {
				slices.Reverse(met)
			}
			got, want := keep(met, stay), keep(all, stay)
			if ids(got) != ids(want) {
				t.Fatalf("%s\nback %v\ngot  %s\nwant %s", s, back, ids(got), ids(want))
			}
		}
	})
}

func keep(rows []*ankqltest.Row, f func(*ankqltest.Row) bool) []*ankqltest.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r *ankqltest.Row) bool { return !f(r) })
}

func TestReversedTwiceIsTheSameOrder(t *testing.T) {
	for _, text := range []string{"", "ORDER BY name", "ORDER BY name DESC NULLS LAST, year", "ORDER BY id DESC", "ORDER BY year NULLS FIRST, id"} {
		s := mustCheck(t, albumModel, text)
		again := s.Reversed().Reversed()
		w := ankqltest.New(1).World
		a := &ankqltest.Row{Collection: "album", ID: ankqltest.ID(1)}
		b := &ankqltest.Row{Collection: "album", ID: ankqltest.ID(2), Values: map[string]value.Value{"name": str("a")}}
		if w.Compare(s, a, b) != w.Compare(again, a, b) || w.Compare(s, a, b) != -w.Compare(s.Reversed(), a, b) {
			t.Errorf("%q", text)
		}
	}
}

// What a cursor does not fit says so, as something that callers can tell.
func TestCursorRefused(t *testing.T) {
	s := mustCheck(t, albumModel, "ORDER BY name DESC, plays")
	r := row{"name": str("a")}
	good := s.Cursor(r, entity(1), nil)
	if limited := mustCheck(t, albumModel, "plays > 3 ORDER BY name DESC NULLS FIRST, plays LIMIT 9"); true {
		if _, err := limited.After(good); err != nil {
			t.Errorf("the same order under another predicate: %v", err)
		}
	}
	for _, text := range []string{"", "ORDER BY name, plays", "ORDER BY name DESC NULLS LAST, plays", "ORDER BY name DESC", "ORDER BY plays, name DESC"} {
		other := mustCheck(t, albumModel, text)
		for _, cut := range []func(ankql.Cursor) (*ankql.Selection, error){other.After, other.From, other.Before} {
			if _, err := cut(good); !errors.Is(err, ankql.ErrCursor) {
				t.Errorf("%q took it: %v", text, err)
			}
		}
	}
	if _, err := s.After(ankql.Cursor{}); !errors.Is(err, ankql.ErrCursor) {
		t.Errorf("zero cursor: %v", err)
	}
	whole := good.String()
	for _, text := range []string{"x", "!", whole[:len(whole)-2], whole + "AA", "wA", strings.Repeat("A", 200_000)} {
		if c, err := ankql.ParseCursor(text); !errors.Is(err, ankql.ErrCursor) {
			t.Errorf("%.20q is %v, %v", text, c, err)
		}
	}
	if c, err := ankql.ParseCursor(""); err != nil || !c.IsZero() || c.String() != "" {
		t.Errorf("empty text: %v, %v", c, err)
	}
}

func FuzzParseCursor(f *testing.F) {
	s := mustCheck(f, albumModel, "ORDER BY name DESC, plays")
	f.Add(s.Cursor(row{"name": str("a"), "plays": value.Int(3)}, entity(1), nil).String())
	f.Add("lM8AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ankql.ParseCursor(text)
		if err != nil {
			if !errors.Is(err, ankql.ErrCursor) {
				t.Fatal(err)
			}
			return
		}
		again, err := ankql.ParseCursor(c.String())
		if err != nil || again.String() != c.String() {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
