package plan

import (
	"strconv"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// Limits of a plan. What exceeds them is widened, and the residual decides.
const (
	MaxLookups = ankql.MaxItems // entities looked up one by one
	MaxRanges  = ankql.MaxItems // ranges of a plan
	maxBoxes   = 64             // boxes of a predicate
)

// Index describes an index over all entities of a collection, those whose columns are NULL
// included.
type Index struct {
	Name    string // says which columns it has, in the notation of ORDER BY
	Columns []Column
	Unique  bool // the values of all columns, where none is NULL, are expected to be those of one entity
}

// NewIndex returns the index over the columns, named after them.
func NewIndex(columns []Column) *Index { return &Index{Name: indexName(columns), Columns: columns} }

// Column is one column of an index. Its path names a property or leads into a JSON
// property; paths that follow references cannot be indexed, since what they lead to
// changes without the entity.
type Column struct {
	Path  ankql.Path
	Order value.KeyOrder
}

// AppendKey appends the key of an entity's entry: the keys of the columns, then the id.
func (ix *Index) AppendKey(dst []byte, row ankql.Fields, e id.EntityID) []byte {
	for _, c := range ix.Columns {
		f := ankql.Field{Path: c.Path}
		dst = value.AppendKey(dst, f.Value(row, nil), c.Order)
	}
	return e.AppendTo(dst)
}

// Method is how a plan reaches its entities.
type Method uint8

// The methods.
const (
	Nothing Method = iota // no entity can match
	Lookup                // each of Entities by its id
	Primary               // Ranges of ids, the 16 bytes of each
	Walk                  // Ranges of the keys of Index
	Union                 // what any of Parts leads to, each a Walk
)

// Plan is how to read the entities of a selection.
type Plan struct {
	Method   Method
	Entities []id.EntityID // ascending, for Lookup
	Index    *Index        // for Walk
	Ranges   []Range       // ascending and apart, for Primary and Walk
	Parts    []*Plan       // for Union; an entity may lie in several of them

	// Residual is what is left to evaluate of each entity reached; ankql.True if nothing.
	Residual ankql.Expr

	// Ordered says that the entities are reached in the selection's order: lookups and
	// ranges from first to last, or, with Reverse, ranges and the groups in them from
	// last to first. A group is the entries of an index that differ only by id; inside
	// it ids ascend in either case, so a reader in reverse walks each group forward,
	// unless Descending says that they descend in reverse: then it walks straight back.
	// Ranges of ids have no groups.
	Ordered    bool
	Reverse    bool
	Descending bool

	order []ankql.Order
	fixed map[string][]byte // the ascending key of each path that can have one value only
}

// Range is the keys from Low, included, to High, excluded; a nil High is no bound.
type Range struct{ Low, High []byte }

// Contains reports whether key lies in r.
func (r Range) Contains(key []byte) bool { return span{r.Low, r.High}.contains(key) }

// ByID reports whether the selection's order is that of ascending ids, which the entries
// of an index tell without the rows.
func (p *Plan) ByID() bool {
	ordered, reverse := idOrder(p.order, p.fixed)
	return ordered && !reverse
}

// Hull returns the plan, which Choose made for s, with one range in place of all, for a
// reader that reads once.
func (p *Plan) Hull(s *ankql.Selection) *Plan {
	if len(p.Ranges) < 2 {
		return p
	}
	hull := *p
	hull.Ranges = []Range{{Low: p.Ranges[0].Low, High: p.Ranges[len(p.Ranges)-1].High}}
	hull.Residual = s.Where
	return &hull
}

// Choose returns the plan that is likely to cost least, among the lookups, the walk over
// all ids and the walks over indexes. The selection has been checked against its model.
// The indexes are not copied.
func Choose(s *ankql.Selection, indexes []*Index, known Statistics) *Plan {
	if ids, exact := s.Entities(); ids != nil && len(ids) <= MaxLookups {
		return lookup(s, ids, exact)
	}
	where := s.Where
	if where == nil {
		where = ankql.True
	}
	boxes := boxesOf(where, false)
	if len(boxes) == 0 {
		return &Plan{Method: Nothing, Residual: ankql.True, Ordered: true}
	}
	c := chooser{selection: s, where: where, boxes: boxes, fixed: fixedPaths(boxes)}
	c.estimate(known)
	return c.best(indexes)
}

func lookup(s *ankql.Selection, ids []id.EntityID, exact bool) *Plan {
	if len(ids) == 0 {
		return &Plan{Method: Nothing, Residual: ankql.True, Ordered: true}
	}
	p := &Plan{Method: Lookup, Entities: ids, Residual: s.Where, order: s.Order}
	if exact {
		p.Residual = ankql.True
	}
	p.Ordered = len(ids) == 1 || len(s.Order) == 0 || isID(s.Order[0].Path) && !s.Order[0].Desc
	return p
}

// String explains the plan in one line.
func (p *Plan) String() string {
	var b strings.Builder
	switch p.Method {
	case Nothing:
		return "nothing can match"
	case Lookup:
		b.WriteString("look up " + strconv.Itoa(len(p.Entities)) + " entities")
	case Primary:
		b.WriteString("walk " + strconv.Itoa(len(p.Ranges)) + " ranges of ids")
	case Walk:
		b.WriteString("walk " + strconv.Itoa(len(p.Ranges)) + " ranges of index " + p.Index.Name)
	case Union:
		for i, part := range p.Parts {
			if i > 0 {
				b.WriteString(", and ")
			}
			b.WriteString(part.String())
		}
	}
	if p.Reverse {
		b.WriteString(" in reverse")
	}
	if p.Residual != ankql.True {
		b.WriteString(", keep where " + p.Residual.String())
	}
	if !p.Ordered {
		b.WriteString(", sort")
	}
	return b.String()
}
