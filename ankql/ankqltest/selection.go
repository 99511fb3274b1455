package ankqltest

import (
	"fmt"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// place is a path that a selection over a model can name, and what is declared of it: nil
// inside JSON and behind a reference to a collection without a model.
type place struct {
	path     ankql.Path
	property *schema.Property
}

func (p place) String() string { return p.path.String() }

var entityID = schema.Property{Name: schema.ID, Type: schema.TypeRef}

// places returns the paths over a model, those behind references up to a number of steps.
func (g *Gen) places(collection string, steps int) []place {
	if !g.References {
		steps = 0
	}
	key := placesKey{g.World.Models[collection], steps}
	if _, ok := g.known[key]; !ok {
		if g.known == nil {
			g.known = map[placesKey][]place{}
		}
		g.known[key] = g.findPlaces(key.model, steps)
	}
	return g.known[key]
}

// suitable returns the places of which keep says true.
func (g *Gen) suitable(collection string, steps int, keep func(place) bool) []place {
	var list []place
	for _, p := range g.places(collection, steps) {
		if keep(p) {
			list = append(list, p)
		}
	}
	return list
}

type placesKey struct {
	model *schema.Model
	steps int
}

func (g *Gen) findPlaces(m *schema.Model, steps int) []place {
	list := []place{{ankql.Path{schema.ID}, &entityID}}
	for i := range m.Properties {
		p := &m.Properties[i]
		list = append(list, place{ankql.Path{p.Name}, p})
		switch {
		case p.Type == schema.TypeJSON:
			for _, key := range keys {
				list = append(list, place{ankql.Path{p.Name, key}, nil})
			}
			list = append(list, place{ankql.Path{p.Name, "deep", "n"}, nil}, place{ankql.Path{p.Name, "deep", "text"}, nil})
		case p.Type != schema.TypeRef || steps == 0:
		case g.World.Models[p.Target] != nil:
			for _, behind := range g.places(p.Target, steps-1) {
				list = append(list, place{append(ankql.Path{p.Name}, behind.path...), behind.property})
			}
		default:
			list = append(list, place{ankql.Path{p.Name, "name"}, nil})
		}
	}
	return list
}

// place returns a path; those of the row itself are more likely than those further on.
func (g *Gen) place(collection string) place {
	return Pick(g, g.places(collection, Pick(g, 0, 0, 0, 1, 2))...)
}

// Path returns the path of something that a row of the collection may hold.
func (g *Gen) Path(collection string) ankql.Path { return g.place(collection).path }

// meeting returns a value that may be compared with what the place holds.
func (g *Gen) meeting(p place) value.Value {
	switch {
	case g.chance(12):
		return value.Null
	case p.property == nil:
		return g.Scalar()
	case p.property.Type == schema.TypeJSON:
		if g.chance(2) {
			return g.JSON()
		}
		return g.Scalar()
	case isNumber(p.property) && g.chance(3):
		return Pick(g, value.Int(g.Integer()), value.Float(g.Float()))
	}
	return g.Of(p.property)
}

func isNumber(p *schema.Property) bool {
	return p.Type == schema.TypeInt || p.Type == schema.TypeFloat || p.Type == schema.TypeTime
}

func isText(p place) bool {
	return p.property == nil || p.property.Type == schema.TypeString || p.property.Type == schema.TypeEnum || p.property.Type == schema.TypeJSON
}

// family returns what the declared types of two places that are compared have in common.
func family(p place) string {
	switch {
	case p.property == nil || p.property.Type == schema.TypeJSON:
		return ""
	case isNumber(p.property):
		return "number"
	case isText(p):
		return "text"
	}
	return string(p.property.Type)
}

// Condition returns a random predicate over a collection, with operators up to depth deep. It
// uses all that the language has, and is accepted by Check.
func (g *Gen) Condition(collection string, depth int) ankql.Condition {
	if depth == 0 || g.chance(6) {
		return g.test(collection)
	}
	first := g.Condition(collection, depth-1)
	switch g.IntN(5) {
	case 0:
		return first.Not()
	case 1, 2:
		return first.Or(g.more(collection, depth)...)
	}
	return first.And(g.more(collection, depth)...)
}

func (g *Gen) more(collection string, depth int) []ankql.Condition {
	list := make([]ankql.Condition, 1+g.IntN(2))
	for i := range list {
		list[i] = g.Condition(collection, depth-1)
	}
	return list
}

func (g *Gen) test(collection string) ankql.Condition {
	p := g.place(collection)
	path := p.String()
	compare := Pick(g, ankql.Eq, ankql.Eq, ankql.Ne, ankql.Lt, ankql.Le, ankql.Gt, ankql.Ge)
	switch g.IntN(14) {
	case 0:
		return ankql.IsNull(path)
	case 1:
		return ankql.IsNotNull(path)
	case 2, 3:
		return Pick(g, ankql.In(path, g.items(p)), ankql.In(path, g.items(p)).Not())
	case 4:
		return g.like(collection)
	case 5:
		return Pick(g, ankql.Between(path, g.meeting(p), g.meeting(p)), ankql.Between(path, g.meeting(p), g.meeting(p)).Not())
	case 6:
		others := g.suitable(collection, g.IntN(2), func(o place) bool {
			return family(o) == family(p) || family(o) == "" || family(p) == ""
		})
		return compare(path, ankql.Column(Pick(g, append(others, p)...).String()))
	case 7:
		return g.constant(collection)
	}
	return compare(path, g.meeting(p))
}

func (g *Gen) items(p place) []value.Value {
	items := make([]value.Value, g.IntN(5))
	for i := range items {
		items[i] = g.meeting(p)
	}
	return items
}

// constant returns TRUE, FALSE, a NULL parameter, or a bool that stands alone.
func (g *Gen) constant(collection string) ankql.Condition {
	list := []ankql.Condition{ankql.Where("TRUE"), ankql.Where("FALSE"), ankql.Where("?", nil)}
	for _, p := range g.places(collection, 0) {
		if p.property == nil || p.property.Type == schema.TypeBool {
			list = append(list, ankql.Where(p.String()))
		}
	}
	return Pick(g, list...)
}

func (g *Gen) like(collection string) ankql.Condition {
	texts := g.suitable(collection, g.IntN(2), isText)
	if len(texts) == 0 {
		return ankql.Where("TRUE")
	}
	escape := Pick(g, `\`, `\`, "!", "", "Ü")
	return ankql.Where(Pick(g, texts...).String()+Pick(g, "", " NOT")+Pick(g, " LIKE ? ESCAPE ", " ILIKE ? ESCAPE ")+"'"+escape+"'", g.Pattern(escape))
}

// Pattern returns a pattern for LIKE with the given escape character, "" for none.
func (g *Gen) Pattern(escape string) string {
	if g.chance(2) {
		return g.patternOf(g.Text(), escape)
	}
	pattern := ""
	for range g.IntN(5) {
		piece := Pick(g, "%", "_", "a", "b", "A", "Ü", "'", "你", "😀", "\u0301", escape+"%", escape+"_", escape+escape, "ß", "k")
		if piece == escape {
			piece += piece
		}
		pattern += piece
	}
	if escape == `\` || escape == "" || !g.chance(3) {
		return pattern
	}
	return pattern + `\`
}

// patternOf returns a pattern that is likely to match a text, or one that differs from it by
// the case of letters.
func (g *Gen) patternOf(text, escape string) string {
	pattern := Pick(g, "", "", "%")
	for _, c := range text {
		piece := string(c)
		switch {
		case g.chance(5):
			piece = Pick(g, "_", "%")
		case g.chance(3):
			piece = Pick(g, strings.ToUpper(piece), strings.ToLower(piece))
		}
		if escape != "" && piece != "_" && (strings.ContainsAny(piece, "%_") || strings.Contains(piece, escape) || g.chance(8)) {
			piece = escape + piece
		}
		pattern += piece
	}
	return pattern + Pick(g, "", "", "%")
}

// Selection returns a random selection over a collection, checked against its model.
func (g *Gen) Selection(collection string) *ankql.Selection {
	q := ankql.From(ankql.Condition{})
	if !g.chance(8) {
		q = ankql.From(g.Condition(collection, g.IntN(4)))
	}
	if !g.NoOrder {
		for range g.IntN(4) {
			q = Pick(g, q.OrderBy, q.OrderByDesc)(g.Path(collection).String())
			q = Pick(g, q, q.NullsFirst(), q.NullsLast())
		}
	}
	if !g.NoLimit && g.chance(2) {
		q = q.Take(Pick(g, 0, 1, 2, 3, 4, 5, 7, 10, 100, ankql.MaxLimit))
	}
	return g.Check(collection, q)
}

// Check returns a query's selection, checked against the world's models; that it is refused
// is a defect.
func (g *Gen) Check(collection string, q ankql.Query) *ankql.Selection {
	s, err := q.Selection()
	if err != nil {
		panic(fmt.Sprintf("ankqltest: over %s: %v", collection, err))
	}
	checked, err := s.CheckWith(g.World.Models[collection], g.World.Models)
	if err != nil {
		panic(fmt.Sprintf("ankqltest: %s over %s: %v", s, collection, err))
	}
	return checked
}
