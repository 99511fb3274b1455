package aggregate

import (
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// bench is how many of the best rows of a group are kept for MIN or MAX: so many have to
// leave before rows are read again.
const bench = 8

// extreme keeps the best rows of a group by one value: of all rows of the group that are
// not worse than the last that was dropped or filled in, it has every one.
type extreme struct {
	best []candidate // the best first
	cut  bool        // there may be rows behind edge
	edge place       // up to where best is complete, if cut
}

// place is where a row stands in the order of a column's values.
type place struct {
	key    string // of the value, in the column's direction
	entity id.EntityID
}

type candidate struct {
	place
	value value.Value
}

func (a place) compare(b place) int {
	if c := strings.Compare(a.key, b.key); c != 0 {
		return c
	}
	return a.entity.Compare(b.entity.ULID)
}

// add takes in a row that came, or one that a look ahead had found before it came.
func (x *extreme) add(c candidate) {
	x.remove(c.entity)
	if x.cut && c.compare(x.edge) > 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(x.best, c, func(a, b candidate) int { return a.compare(b.place) })
	x.best = slices.Insert(x.best, i, c)
	if len(x.best) > bench {
		x.best = x.best[:bench]
		x.cut, x.edge = true, x.best[bench-1].place
	}
}

func (x *extreme) remove(e id.EntityID) {
	x.best = slices.DeleteFunc(x.best, func(c candidate) bool { return c.entity == e })
}

// short reports whether rows have to be read to know the best.
func (x *extreme) short() bool { return x.cut && len(x.best) == 0 }

func (x *extreme) fill(rows []candidate, more bool) {
	x.best, x.cut = rows, more
	if more && len(rows) > 0 {
		x.edge = rows[len(rows)-1].place
	}
}

// size returns about how many bytes the rows kept take.
func (x *extreme) size() (bytes int) {
	for i := range x.best {
		bytes += 64 + 2*len(x.best[i].key)
	}
	return bytes
}

func (x *extreme) value() value.Value {
	if len(x.best) == 0 {
		return value.Null
	}
	return x.best[0].value
}

// candidateOf returns the place of a row for MIN or MAX of a column.
func candidateOf(a *ankql.Aggregate, v value.Value, e id.EntityID) candidate {
	key := value.AppendKey(nil, v, value.KeyOrder{Desc: a.Function == ankql.FunctionMax})
	return candidate{place{string(key), e}, a.Field().Canonical(v)}
}
