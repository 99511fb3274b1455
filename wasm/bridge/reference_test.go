package bridge_test

import (
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

var (
	band = &schema.Model{Collection: "band", Properties: []schema.Property{{Name: "name", Type: schema.TypeString}}}
	disc = &schema.Model{Collection: "disc", Properties: []schema.Property{
		{Name: "name", Type: schema.TypeString}, {Name: "by", Type: schema.TypeRef, Target: "band", Optional: true}}}
)

// A page's selection follows references: to rows that other nodes have, through changes of
// what these refer to, on either side; and a selection over what nobody declared is refused.
func TestPagesFollowReferences(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	if err := w.server.Register(t.Context(), band, disc); err != nil {
		t.Fatal(err)
	}
	server := w.server.Context(policy.Principal{})
	create := func(collection string, fields ...proto.Field) id.EntityID {
		t.Helper()
		tx := server.Begin()
		e, err := tx.Create(t.Context(), collection, fields)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		return e
	}
	named := func(name string) proto.Field { return proto.Field{Name: "name", Value: value.String(name)} }
	by := func(e id.EntityID) proto.Field { return proto.Field{Name: "by", Value: value.ID(e)} }
	muse, air := create("band", named("Muse")), create("band", named("Air"))
	create("disc", named("Showbiz"), by(muse))
	create("disc", named("Moon Safari"), by(air))
	create("disc", named("Bootleg"))

	p := w.visit()
	p.ask(&frame.Hello{Request: p.next(), Name: "x", URL: "server", Models: []*schema.Model{band, disc}})
	p.send(&frame.Subscribe{Query: 1, Collection: "disc", Text: "by.name = ? ORDER BY name", Params: frame.Params{Positional: []frame.Param{{Value: value.String("Muse")}}}},
		&frame.Subscribe{Query: 2, Collection: "disc", Text: "ORDER BY by.name, name LIMIT 2"},
		&frame.Subscribe{Query: 3, Collection: "disc", Text: "by.nmae = 'x'"})
	p.shows(1, "Showbiz")
	p.shows(2, "Moon Safari", "Showbiz")
	p.until("a refusal", func() bool { return p.status[3] == frame.QueryError })

	tx := server.Begin()
	if err := tx.Set(t.Context(), "band", air, []proto.Field{named("Muse")}); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.shows(1, "Moon Safari", "Showbiz")
	p.ask(&frame.Edit{Tx: 1, Collection: "band", Entity: muse, Columns: []string{"name"}, Values: []value.Value{value.String("Abba")}},
		&frame.Commit{Request: p.next(), Tx: 1})
	p.mu.Lock()
	if got := names(p.rows[1]); !slices.Equal(got, []string{"Moon Safari"}) {
		t.Errorf("when the commit is answered the page shows %q", got)
	}
	if got := names(p.rows[2]); !slices.Equal(got, []string{"Showbiz", "Moon Safari"}) {
		t.Errorf("in order it shows %q", got)
	}
	p.mu.Unlock()
}
