package core_test

import (
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// TestRowsFromEarlierAreNotLive: a row that a node holds from earlier is not shown by a live
// result as it was, whatever tells the node of the entity behind a reference by which it matches,
// and also where the result is a window, which would fill its place from storage.
func TestRowsFromEarlierAreNotLive(t *testing.T) {
	for _, text := range []string{"artist.name = 'muse'", "artist.name = 'muse' ORDER BY name LIMIT 5"} {
		for _, c := range []struct {
			how  string
			tell func(x *heldEarlier)
		}{
			{"by an answer", func(x *heldEarlier) { x.answer(x.look("artist", "name > ''"), "artist", true, x.renamed) }},
			{"by half an answer", func(x *heldEarlier) {
				q := watch(x.t, x.node, "artist", "name > ''")
				x.answer(next[*proto.Subscribe](x.frames).Sub, "artist", false, x.renamed)
				q.Close()
			}},
			{"by a transaction", func(x *heldEarlier) {
				x.w.send(&proto.Update{Changes: []proto.RowChange{{Collection: "artist", Entity: x.renamed.Entity, Rev: x.renamed.Rev,
					Kind: proto.RowState, Head: x.renamed.State.Head, Properties: x.renamed.State.Properties}}})
			}},
		} {
			t.Run(text+", "+c.how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := holdEarlier(t)
					live := watch(t, x.node, "record", text)
					x.answer(next[*proto.Subscribe](x.frames).Sub, "record", true)
					if live.Status() != core.QueryLive || rowNames(live, "name") != "" {
						t.Fatalf("it is %v, with %q", live.Status(), rowNames(live, "name"))
					}
					live.Subscribe(func(set *core.ChangeSet) {
						if names := rowNames(live, "name"); set.Status == core.QueryLive && names != "" {
							t.Errorf("%q is shown live", names)
						}
					})
					// One transaction has renamed the artist and deleted the record.
					c.tell(x)
					synctest.Wait()
					get, ok := heard[*proto.Get](x.frames)
					if !ok || len(get.Entities) != 1 || get.Entities[0] != x.record {
						t.Fatalf("asks for %v, not for %v", get, x.record)
					}
					x.w.send(&proto.Rows{Sub: get.Request, Collection: "record", Done: true, Gone: get.Entities})
					synctest.Wait()
					if live.Status() != core.QueryLive || rowNames(live, "name") != "" {
						t.Errorf("when the row is here it is %v, with %q", live.Status(), rowNames(live, "name"))
					}
				})
			})
		}
	}
}

// TestRowsFromEarlierOffline: what part of an answer brought is shown when the connection ends, and
// the rows that it makes match are shown then as they are held, by results that are not live.
func TestRowsFromEarlierOffline(t *testing.T) {
	for _, text := range []string{"artist.name = 'muse'", "artist.name = 'muse' ORDER BY name LIMIT 5"} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := holdEarlier(t)
				live := watch(t, x.node, "record", text)
				x.answer(next[*proto.Subscribe](x.frames).Sub, "record", true)
				x.answer(x.look("artist", "name > ''"), "artist", false, x.renamed)
				live.Subscribe(func(set *core.ChangeSet) {
					if names := rowNames(live, "name"); set.Err != nil || set.Status == core.QueryLive && names != "" {
						t.Errorf("it is %v, with %q: %v", set.Status, names, set.Err)
					}
				})
				x.w.conn.Close("cut")
				synctest.Wait()
				if rowNames(live, "name") != "drones" || live.Status() != core.QueryLocal {
					t.Errorf("offline it is %v, with %q", live.Status(), rowNames(live, "name"))
				}
			})
		})
	}
}

// heldEarlier is a node that holds an artist and a record from results that it has closed, and a
// durable node that is played by hand, where the artist has another name by now.
type heldEarlier struct {
	t       *testing.T
	node    *core.Node
	w       *wire
	frames  <-chan proto.Frame
	record  id.EntityID
	renamed proto.Row
}

func holdEarlier(t *testing.T) *heldEarlier {
	x := &heldEarlier{t: t, node: open(t, core.Options{})}
	register(t, x.node)
	conns, frames := handmade().listen(t, x.node)
	x.w, x.frames = <-conns, frames
	artist := x.w.creation("artist", with("name", "air"))
	record := x.w.creation("record", with("artist", artist.Entity, "name", "drones"))
	x.record = record.Entity
	rows := map[string]proto.Row{}
	for _, e := range []*proto.Event{artist, record} {
		rows[e.Collection] = proto.Row{Entity: e.Entity, Rev: 1, State: must(entity.Apply(nil, e))}
		q := watch(t, x.node, e.Collection, "")
		x.answer(next[*proto.Subscribe](frames).Sub, e.Collection, true, rows[e.Collection])
		q.Close()
	}
	x.renamed = proto.Row{Entity: artist.Entity, Rev: 2, State: must(entity.Apply(rows["artist"].State, x.w.edit(artist, with("name", "muse"))))}
	return x
}

// look opens a live result, and returns the subscription that is to be answered.
func (x *heldEarlier) look(collection, text string) uint64 {
	watch(x.t, x.node, collection, text)
	return next[*proto.Subscribe](x.frames).Sub
}

// answer sends rows.
func (x *heldEarlier) answer(number uint64, collection string, done bool, rows ...proto.Row) {
	x.w.send(&proto.Rows{Sub: number, Collection: collection, Complete: true, Done: done, Rows: rows})
	synctest.Wait()
}
