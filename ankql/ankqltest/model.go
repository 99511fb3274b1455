package ankqltest

import (
	"fmt"
	"sort"

	"github.com/ankurah-go/ankurah/core/schema"
)

// Schema is models by collection. It implements ankql.Models.
type Schema map[string]*schema.Model

// Model implements ankql.Models.
func (s Schema) Model(collection string) (*schema.Model, bool) {
	m, ok := s[collection]
	return m, ok
}

// Collections returns the collections in alphabetical order.
func (s Schema) Collections() []string {
	list := make([]string, 0, len(s))
	for c := range s {
		list = append(list, c)
	}
	sort.Strings(list)
	return list
}

// Models returns album, which has properties of every type and references to itself, to
// artist and to anything; and artist, which refers to a label that is an artist.
func Models() Schema {
	return Schema{
		"album": {Collection: "album", Properties: []schema.Property{
			{Name: "name", Type: schema.TypeString},
			{Name: "year", Type: schema.TypeInt, Optional: true},
			{Name: "plays", Type: schema.TypeInt},
			{Name: "rating", Type: schema.TypeFloat, Optional: true},
			{Name: "live", Type: schema.TypeBool, Optional: true},
			{Name: "released", Type: schema.TypeTime, Optional: true},
			{Name: "cover", Type: schema.TypeBytes, Optional: true},
			{Name: "format", Type: schema.TypeEnum, Enum: []string{"lp", "cd", "Ünï"}, Optional: true},
			{Name: "meta", Type: schema.TypeJSON, Optional: true},
			{Name: "artist", Type: schema.TypeRef, Target: "artist", Optional: true},
			{Name: "sequel", Type: schema.TypeRef, Target: "album", Optional: true},
			{Name: "anything", Type: schema.TypeRef, Optional: true},
			{Name: "note", Type: schema.TypeString, Optional: true},
		}},
		"artist": {Collection: "artist", Properties: []schema.Property{
			{Name: "name", Type: schema.TypeString, Optional: true},
			{Name: "born", Type: schema.TypeInt, Optional: true},
			{Name: "meta", Type: schema.TypeJSON, Optional: true},
			{Name: "label", Type: schema.TypeRef, Target: "artist", Optional: true},
		}},
	}
}

// types are all types of properties.
var types = []schema.Type{schema.TypeBool, schema.TypeInt, schema.TypeFloat, schema.TypeString, schema.TypeBytes,
	schema.TypeTime, schema.TypeRef, schema.TypeEnum, schema.TypeJSON}

// names are what properties are called: words of the language among them.
var names = []string{"a", "b", "name", "order", "LIMIT", "not", "null", "true", "by", "Größe", "a-b", "_x", "select", "名前", "id2"}

// Model makes a random model and gives it to the world. Its references lead to itself and
// to the world's other collections.
func (g *Gen) Model(collection string) *schema.Model {
	m := &schema.Model{Collection: collection}
	targets := append(g.World.Models.Collections(), collection, "")
	for _, i := range g.Perm(len(names))[:1+g.IntN(8)] {
		p := schema.Property{Name: names[i], Type: Pick(g, types...), Optional: !g.chance(3)}
		switch p.Type {
		case schema.TypeRef:
			p.Target, p.Optional = Pick(g, targets...), true
		case schema.TypeEnum:
			p.Enum = []string{"lp", "cd", "Ünï"}[:1+g.IntN(3)]
		case schema.TypeString:
			p.Kind = Pick(g, "", schema.KindText)
		}
		m.Properties = append(m.Properties, p)
	}
	if err := m.Validate(); err != nil {
		panic(fmt.Sprint("ankqltest: ", err))
	}
	g.World.Models[collection] = m
	return m
}
