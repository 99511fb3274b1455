package ankqltest

import (
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
)

// Shrink returns the smallest selection that it finds of which fails still says true: terms,
// items, keys and the limit are left out one by one. fails is true of s.
func Shrink(s *ankql.Selection, fails func(*ankql.Selection) bool) *ankql.Selection {
	for {
		i := slices.IndexFunc(smaller(s), fails)
		if i < 0 {
			return s
		}
		s = smaller(s)[i]
	}
}

// ShrinkRows returns the fewest rows that it finds of which fails still says true, each with
// as few values as can be.
func ShrinkRows(rows []*Row, fails func([]*Row) bool) []*Row {
	for n := len(rows); n > 0; n /= 2 { // many at once at first
		for i := 0; i < len(rows); {
			if without := slices.Delete(slices.Clone(rows), i, min(i+n, len(rows))); fails(without) {
				rows = without
				continue
			}
			i += n
		}
	}
	for i := range rows {
		for name := range rows[i].Values {
			fewer := slices.Clone(rows)
			fewer[i] = rows[i].without(name)
			if fails(fewer) {
				rows = fewer
			}
		}
	}
	return rows
}

func (r *Row) without(name string) *Row {
	after := *r
	after.Values = map[string]value.Value{}
	for n, v := range r.Values {
		if n != name {
			after.Values[n] = v
		}
	}
	return &after
}

// smaller returns the selections that are one step simpler.
func smaller(s *ankql.Selection) []*ankql.Selection {
	var list []*ankql.Selection
	add := func(change func(*ankql.Selection)) {
		simpler := *s
		change(&simpler)
		list = append(list, &simpler)
	}
	for _, e := range simplerExprs(s.Where) {
		add(func(x *ankql.Selection) { x.Where = e })
	}
	for i := range s.Order {
		add(func(x *ankql.Selection) { x.Order = slices.Delete(slices.Clone(s.Order), i, i+1) })
	}
	if s.Limit != ankql.NoLimit {
		add(func(x *ankql.Selection) { x.Limit = ankql.NoLimit })
	}
	return list
}

func simplerExprs(e ankql.Expr) []ankql.Expr {
	var list []ankql.Expr
	if e != ankql.True {
		list = append(list, ankql.True)
	}
	switch e := e.(type) {
	case *ankql.Conjunction:
		list = append(list, simplerTerms(e.Terms, ankql.True, ankql.And)...)
	case *ankql.Disjunction:
		list = append(list, simplerTerms(e.Terms, ankql.False, ankql.Or)...)
	case *ankql.Negation:
		list = append(list, e.Term)
		for _, t := range simplerExprs(e.Term) {
			if t != ankql.True {
				list = append(list, ankql.Not(t))
			}
		}
	case *ankql.Membership:
		for i := range e.Items {
			list = append(list, &ankql.Membership{Field: e.Field, Items: slices.Delete(slices.Clone(e.Items), i, i+1)})
		}
	}
	return list
}

// simplerTerms returns the terms one by one, all but one, and with one of them simpler.
func simplerTerms(terms []ankql.Expr, none ankql.Expr, join func(a, b ankql.Expr) ankql.Expr) []ankql.Expr {
	joined := func(terms []ankql.Expr) ankql.Expr {
		all := none
		for _, t := range terms {
			all = join(all, t)
		}
		return all
	}
	list := slices.Clone(terms)
	for i := range terms {
		list = append(list, joined(slices.Delete(slices.Clone(terms), i, i+1)))
	}
	for i, t := range terms {
		for _, simpler := range simplerExprs(t) {
			if simpler == ankql.True {
				continue // it would end the search at nothing
			}
			changed := slices.Clone(terms)
			changed[i] = simpler
			list = append(list, joined(changed))
		}
	}
	return list
}
