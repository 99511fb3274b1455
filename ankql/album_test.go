package ankql_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// albumModel has a property of every type.
var albumModel = &schema.Model{Collection: "album", Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString},
	{Name: "year", Type: schema.TypeString},
	{Name: "plays", Type: schema.TypeInt},
	{Name: "rating", Type: schema.TypeFloat},
	{Name: "active", Type: schema.TypeBool},
	{Name: "released", Type: schema.TypeTime},
	{Name: "cover", Type: schema.TypeBytes},
	{Name: "format", Type: schema.TypeEnum, Enum: []string{"lp", "cd"}},
	{Name: "meta", Type: schema.TypeJSON, Optional: true},
	{Name: "artist", Type: schema.TypeRef, Target: "artist", Optional: true},
	{Name: "sequel", Type: schema.TypeRef, Target: "album", Optional: true},
	{Name: "owner", Type: schema.TypeRef, Target: "user", Optional: true},
	{Name: "anything", Type: schema.TypeRef, Optional: true},
}}

var artistModel = &schema.Model{Collection: "artist", Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString},
	{Name: "born", Type: schema.TypeInt},
	{Name: "meta", Type: schema.TypeJSON},
}}

// catalog knows album and artist, but not user.
type catalog map[string]*schema.Model

func (c catalog) Model(collection string) (*schema.Model, bool) {
	m, ok := c[collection]
	return m, ok
}

var models = catalog{"album": albumModel, "artist": artistModel}

// row is an entity in memory.
type row map[string]value.Value

func (r row) Field(name string) value.Value { return r[name] }

// entities resolves references.
type entities map[id.EntityID]row

func (e entities) Resolve(_ string, ref id.EntityID) (ankql.Fields, bool) {
	r, ok := e[ref]
	return r, ok
}

// entity returns an id that is the same in every run.
func entity(n byte) id.EntityID {
	return id.EntityID{ULID: id.Make(id.Stamp(n), [8]byte{n})}
}

func mustParse(t testing.TB, text string, params ...any) *ankql.Selection {
	t.Helper()
	s, err := ankql.Parse(text, params...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func mustCheck(t testing.TB, m *schema.Model, text string, params ...any) *ankql.Selection {
	t.Helper()
	s, err := mustParse(t, text, params...).CheckWith(m, models)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func mustJSON(t testing.TB, tree any) value.Value {
	t.Helper()
	v, err := value.JSON(tree)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
