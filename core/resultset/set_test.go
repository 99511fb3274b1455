package resultset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// world is a table of rows that a set is held against: incremental equals recomputed.
type world struct {
	sel  *ankql.Selection
	rows map[id.EntityID]*proto.Record
}

func row(n int, rev uint64, year int64) *proto.Record {
	e := id.EntityID{ULID: id.Make(id.Stamp(n), [8]byte{byte(n)})}
	return &proto.Record{Collection: "album", Entity: e, Rev: rev, State: &proto.State{
		Properties: []proto.PropertyState{{Name: "year", Kind: 1, Value: value.Int(year)}},
	}}
}

func (w *world) sorted(after []byte) []*proto.Record {
	var rows []*proto.Record
	for _, r := range w.rows {
		if w.sel.Matches(r) && string(w.key(r)) > string(after) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *proto.Record) int { return slices.Compare(w.key(a), w.key(b)) })
	return rows
}

func (w *world) key(r *proto.Record) []byte { return w.sel.AppendSortKey(nil, r, r.Entity) }

func (w *world) fill(s *Set) {
	after, n := s.Need()
	if n == 0 {
		return
	}
	rows := w.sorted(after)
	more := n >= 0 && len(rows) > n
	if more {
		rows = rows[:n]
	}
	s.Fill(rows, more)
}

func (w *world) want() []*proto.Record {
	rows := w.sorted(nil)
	if w.sel.Limit >= 0 && len(rows) > w.sel.Limit {
		rows = rows[:w.sel.Limit]
	}
	return rows
}

// replay applies changes as a receiver would.
func replay(rows []*proto.Record, changes []Change) []*proto.Record {
	rows = slices.Clone(rows)
	for _, c := range changes {
		if c.From >= 0 {
			if rows[c.From].Entity != c.Entity {
				panic(fmt.Sprintf("change %+v takes away %s", c, rows[c.From].Entity))
			}
			rows = slices.Delete(rows, c.From, c.From+1)
		}
		if c.To >= 0 {
			rows = slices.Insert(rows, c.To, c.Row)
		}
	}
	return rows
}

// TestIncrementalEqualsRecomputed holds R1, R2 and R3 under random transactions.
func TestIncrementalEqualsRecomputed(t *testing.T) {
	texts := []string{"year > 3", "year > 3 ORDER BY year", "ORDER BY year DESC LIMIT 3", "year < 8 ORDER BY year LIMIT 7",
		"LIMIT 5", "ORDER BY year LIMIT 0", "year != 4 ORDER BY year DESC LIMIT 30", "ORDER BY year LIMIT 1073741824"}
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		text := texts[rnd.IntN(len(texts))]
		sel, err := ankql.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{sel: sel, rows: map[id.EntityID]*proto.Record{}}
		rev := uint64(1)
		for n := range 60 {
			if rnd.IntN(2) == 0 {
				r := row(n, rev, rnd.Int64N(12))
				w.rows[r.Entity] = r
			}
		}
		s := New(sel)
		s.Begin()
		w.fill(s)
		shown := replay(nil, s.End())
		for step := range 60 {
			s.Begin()
			for range 1 + rnd.IntN(6) {
				rev++
				r := row(rnd.IntN(60), rev, rnd.Int64N(12))
				if rnd.IntN(4) == 0 {
					delete(w.rows, r.Entity)
					s.Remove(r.Entity, rev)
					continue
				}
				w.rows[r.Entity] = r
				if sel.Matches(r) {
					s.Put(r)
				} else {
					s.Remove(r.Entity, rev)
				}
			}
			w.fill(s)
			changes := s.End()
			shown = replay(shown, changes)
			if got, want := s.Rows(), w.want(); !slices.Equal(got, want) {
				t.Fatalf("seed %d %q step %d: %d rows, want %d: differs", seed, text, step, len(got), len(want))
			}
			if !slices.Equal(shown, s.Rows()) {
				t.Fatalf("seed %d %q step %d: changes %v do not lead to the rows", seed, text, step, changes)
			}
			checkMinimal(t, changes)
		}
	}
}

// checkMinimal: one transaction names an entity at most once under LIMIT.
func checkMinimal(t *testing.T, changes []Change) {
	t.Helper()
	seen := map[id.EntityID]int{}
	for _, c := range changes {
		seen[c.Entity]++
		if seen[c.Entity] > 6 {
			t.Fatalf("%s named %d times", c.Entity, seen[c.Entity])
		}
	}
}

// TestOlderRowChangesNothing holds R4.
func TestOlderRowChangesNothing(t *testing.T) {
	sel, _ := ankql.Parse("ORDER BY year")
	s := New(sel)
	s.Fill([]*proto.Record{row(1, 5, 2000)}, false)
	s.Begin()
	s.Put(row(1, 4, 1999))
	s.Remove(row(1, 4, 1999).Entity, 4)
	if changes := s.End(); len(changes) != 0 {
		t.Fatalf("changes %v", changes)
	}
}
