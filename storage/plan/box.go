package plan

import (
	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// box is a conjunction: each path in it takes one of the values of its set. A predicate is
// true only of what lies in one of its boxes; where a box is exact, of all that does.
type box struct {
	sets  map[string]set // by the text of the path
	exact bool
}

// free is the box of everything. As a stand-in for what cannot be said it is not exact.
func free(exact bool) []box { return []box{{sets: map[string]set{}, exact: exact}} }

// boxesOf returns the boxes of e, or of its negation. In three-valued logic NOT goes
// inwards as in two-valued: De Morgan's laws hold, and what negates a test is true of is
// said by the test itself.
func boxesOf(e ankql.Expr, negated bool) []box {
	switch e := e.(type) {
	case ankql.Constant:
		t := ankql.Truth(e)
		if negated {
			t = t.Not()
		}
		if t == ankql.TruthTrue {
			return free(true)
		}
		return nil
	case *ankql.Negation:
		return boxesOf(e.Term, !negated)
	case *ankql.Conjunction:
		if negated {
			return either(e.Terms, true)
		}
		return both(e.Terms, false)
	case *ankql.Disjunction:
		if negated {
			return both(e.Terms, true)
		}
		return either(e.Terms, false)
	case *ankql.Comparison:
		if lit, ok := e.Right.(*ankql.Literal); ok {
			op := e.Op
			if negated {
				op = op.Negated()
			}
			return one(e.Left, compared(op, lit.Value), true)
		}
	case *ankql.Membership:
		if negated {
			return one(e.Field, notAmong(e), true)
		}
		return one(e.Field, among(e.Set()), true)
	case *ankql.Match:
		return matched(e, negated)
	case *ankql.NullTest:
		if negated {
			return one(e.Field, notNulls, true)
		}
		return one(e.Field, nulls, true)
	}
	return free(false)
}

// one returns the box in which the field takes a value of s.
func one(f *ankql.Field, s set, exact bool) []box {
	if !indexable(f) {
		return free(false)
	}
	if len(s) == 0 {
		return nil
	}
	return []box{{sets: map[string]set{f.Path.String(): s}, exact: exact}}
}

// indexable reports whether what the field holds is part of the entity.
func indexable(f *ankql.Field) bool {
	return len(f.Path) == 1 || len(f.Targets) == 0 && f.Type == schema.TypeJSON
}

// compared returns the values of which the comparison with v is true: they are of its
// family.
func compared(op ankql.Operator, v value.Value) set {
	v = v.Scalar()
	if v.IsNull() {
		return nil
	}
	key := value.AppendKey(nil, v, value.Ascending)
	point, all := prefixSpan(key), family(key)
	switch op {
	case ankql.OpEqual:
		return set{point}
	case ankql.OpNotEqual:
		return without(all, set{point})
	case ankql.OpLess:
		return set{{all.low, point.low}}
	case ankql.OpLessEqual:
		return set{{all.low, point.high}}
	case ankql.OpGreater:
		return set{{point.high, all.high}}
	}
	return set{{point.low, all.high}}
}

func among(values []value.Value) set {
	var out set
	for _, v := range values {
		out = append(out, prefixSpan(value.AppendKey(nil, v, value.Ascending)))
	}
	return out // ascending and apart, as the values are
}

// notAmong returns the values of which NOT IN is true: of a family that all items have.
func notAmong(m *ankql.Membership) set {
	if len(m.Items) == 0 {
		return anything
	}
	values := m.Set()
	for _, item := range m.Items {
		if !value.SameFamily(item, m.Items[0]) { // NULL is of no family
			return nil
		}
	}
	points := among(values)
	return without(family(points[0].low), points)
}

func matched(m *ankql.Match, negated bool) []box {
	prefix, whole := m.Prefix()
	if negated {
		prefix, whole = "", false
	}
	if whole {
		return one(m.Field, among([]value.Value{value.String(prefix)}), true)
	}
	return one(m.Field, set{prefixSpan(textPrefix(prefix))}, false)
}

// both returns the boxes of a conjunction: every way to intersect those of its terms. Terms
// that are one test come first and together, so that thousands of them over one path cost
// what sorting them costs.
func both(terms []ankql.Expr, negated bool) []box {
	var tests gathered
	var rest [][]box
	for _, t := range terms {
		switch boxes := boxesOf(t, negated); {
		case len(boxes) == 0:
			return nil
		case len(boxes) == 1 && len(boxes[0].sets) <= 1:
			tests.add(boxes[0])
		default:
			rest = append(rest, boxes)
		}
	}
	first, ok := tests.intersection()
	if !ok {
		return nil
	}
	out := []box{first}
	for _, boxes := range rest {
		if len(out)*len(boxes) > maxBoxes {
			boxes = free(false)
		}
		var next []box
		for _, a := range out {
			for _, b := range boxes {
				if c, ok := a.intersect(b); ok {
					next = append(next, c)
				}
			}
		}
		out = next
	}
	return out
}

// gathered is boxes of one path at most, by their paths.
type gathered struct {
	paths []string // in the order of their first box
	sets  map[string][]set
	exact map[string]bool
	free  bool // there was a box of everything that is not exact
}

func (g *gathered) add(b box) {
	if len(b.sets) == 0 {
		g.free = g.free || !b.exact
		return
	}
	for path, s := range b.sets {
		exact, ok := g.exact[path]
		if !ok {
			if g.sets == nil {
				g.sets, g.exact = map[string][]set{}, map[string]bool{}
			}
			g.paths = append(g.paths, path)
			exact = true
		}
		g.sets[path] = append(g.sets[path], s)
		g.exact[path] = exact && b.exact
	}
}

// intersection returns the box that lies in all of them; ok is false if there is none.
func (g *gathered) intersection() (b box, ok bool) {
	b = box{sets: make(map[string]set, len(g.paths)), exact: !g.free}
	for _, path := range g.paths {
		s := intersectAll(g.sets[path])
		if len(s) == 0 {
			return box{}, false
		}
		b.sets[path], b.exact = s, b.exact && g.exact[path]
	}
	return b, true
}

// unions returns, for each path, the box of all that any of its boxes holds.
func (g *gathered) unions() []box {
	out := make([]box, len(g.paths))
	for i, path := range g.paths {
		out[i] = box{sets: map[string]set{path: union(g.sets[path]...)}, exact: g.exact[path]}
	}
	return out
}

func (a box) intersect(b box) (box, bool) {
	out := box{sets: make(map[string]set, len(a.sets)+len(b.sets)), exact: a.exact && b.exact}
	for path, s := range a.sets {
		out.sets[path] = s
	}
	for path, s := range b.sets {
		if have, ok := out.sets[path]; ok {
			s = intersect(have, s)
		}
		if len(s) == 0 {
			return box{}, false
		}
		out.sets[path] = s
	}
	return out, true
}

// either returns the boxes of a disjunction: those of its terms, with those over one and
// the same path made into one.
func either(terms []ankql.Expr, negated bool) []box {
	var tests gathered
	var rest []box
	for _, t := range terms {
		for _, b := range boxesOf(t, negated) {
			if len(b.sets) == 1 {
				tests.add(b)
			} else {
				rest = append(rest, b)
			}
			if len(tests.paths)+len(rest) > maxBoxes {
				return free(false)
			}
		}
	}
	return append(tests.unions(), rest...)
}

// fixedPaths returns the paths that have one and the same value in all boxes, with its
// ascending key.
func fixedPaths(boxes []box) map[string][]byte {
	fixed := map[string][]byte{}
	for path, s := range boxes[0].sets {
		if len(s) == 1 && s[0].isPoint() {
			fixed[path] = s[0].low
		}
	}
	for _, b := range boxes[1:] {
		for path, key := range fixed {
			if s := b.sets[path]; len(s) != 1 || !s[0].isPoint() || string(s[0].low) != string(key) {
				delete(fixed, path)
			}
		}
	}
	return fixed
}
