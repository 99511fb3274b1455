package plan

import (
	"sort"

	"github.com/ankurah-go/ankurah/ankql"
)

// Statistics is what is known of a collection and of what is wanted of it. The zero value
// knows nothing.
type Statistics struct {
	Rows int // about how many entities the collection has; 0 if nobody knows
	Want int // how many entities are read at once, at most; 0 for any number

	// Walk has an index walked wherever there is one, whatever it costs, to compare the
	// answers.
	Walk bool

	// Count, if not nil, returns how many entries of an index lie in the ranges. It may stop
	// at a bound of its own; then all is false and there are at least so many. Choose
	// calls it for few indexes, and only where the answer can change the plan.
	Count func(ix *Index, ranges []Range) (n int, all bool)
}

// What is assumed where nothing is known.
const (
	someRows = 100_000
	somePage = 4096
)

// What plans cost, in rows of a collection read one after the other.
const (
	entryCost   = 0.3  // an entry of an index, read after the one before
	followCost  = 6.0  // the row that an entry leads to
	rangeCost   = 4.0  // to begin a range
	sortCost    = 0.2  // a row more that has to be sorted
	reverseCost = 1.05 // of two indexes, the one in the selection's direction
)

// maxCounted is for how many indexes the entries are counted to choose between plans.
const maxCounted = 3

// chooser compares the ways to read one selection.
type chooser struct {
	selection *ankql.Selection
	where     ankql.Expr
	boxes     []box
	fixed     map[string][]byte

	rows, want float64
	matching   float64 // the part of the collection that is expected to match
	walkAny    bool
	count      func(ix *Index, ranges []Range) (n int, all bool)
}

// candidate is a plan with what is expected of it.
type candidate struct {
	plan  *Plan
	part  float64 // of the collection lies in the ranges
	reads float64 // so many entities
	cost  float64
}

func (c *chooser) estimate(known Statistics) {
	c.rows, c.want, c.count, c.walkAny = float64(known.Rows), float64(known.Want), known.Count, known.Walk
	if c.rows <= 0 {
		c.rows = someRows
	}
	if c.want <= 0 {
		c.want = somePage
	}
	if limit := c.selection.Limit; limit != ankql.NoLimit {
		c.want = min(c.want, float64(limit))
	}
	c.want = max(c.want, 1)
	for _, b := range c.boxes {
		part := 1.0
		for _, s := range b.sets {
			part *= selectivity(s)
		}
		if !b.exact {
			part /= 2
		}
		c.matching += part
	}
	c.matching = min(c.matching, 1)
}

// best returns the cheapest plan. Guesses are replaced by counts where that can matter:
// a plan that reads in order, and nothing but matches, costs what its answer costs.
func (c *chooser) best(indexes []*Index) *Plan {
	primary := c.primary()
	c.price(&primary)
	walks := make([]candidate, len(indexes))
	for i, ix := range indexes {
		walks[i] = c.walk(ix)
		c.price(&walks[i])
	}
	sort.SliceStable(walks, func(i, j int) bool { return byCost(walks[i], walks[j]) < 0 })
	if len(walks) > 0 && c.count != nil && !walks[0].sure(&primary) {
		for i := range walks[:min(len(walks), maxCounted)] {
			c.counted(&walks[i])
		}
		c.price(&primary) // by what was learnt
		for i := range walks {
			c.price(&walks[i])
		}
		sort.SliceStable(walks, func(i, j int) bool { return byCost(walks[i], walks[j]) < 0 })
	}
	best := &primary
	if len(walks) > 0 && (walks[0].cost < best.cost || c.walkAny) {
		best = &walks[0]
	}
	if union, ok := c.union(indexes); ok && (union.cost < best.cost || c.walkAny && !best.plan.bounded()) {
		best = &union
	}
	return best.plan
}

// bounded reports whether the plan walks part of an index only.
func (p *Plan) bounded() bool {
	return p.Method == Walk && (len(p.Ranges) != 1 || len(p.Ranges[0].Low) > 0 || p.Ranges[0].High != nil)
}

// union returns the plan that walks for each box the index that serves it best, if there
// is one for each. What several boxes have the same index for is one walk.
func (c *chooser) union(indexes []*Index) (candidate, bool) {
	if len(c.boxes) < 2 {
		return candidate{}, false
	}
	served := map[*Index][]box{}
	for _, b := range c.boxes {
		var best *Index
		part := 1.0
		for _, ix := range indexes {
			if _, used := indexRanges(ix, []box{b}); used.fraction < part {
				best, part = ix, used.fraction
			}
		}
		if best == nil {
			return candidate{}, false
		}
		served[best] = append(served[best], b)
	}
	p := &Plan{Method: Union, Residual: c.where, order: c.selection.Order, fixed: c.fixed}
	u := candidate{plan: p}
	for _, ix := range indexes {
		boxes := served[ix]
		if boxes == nil {
			continue
		}
		ranges, used := indexRanges(ix, boxes)
		w := candidate{plan: &Plan{Method: Walk, Index: ix, Ranges: ranges, Residual: ankql.True, Ordered: true}, part: used.fraction, reads: used.fraction * c.rows}
		if c.count != nil {
			c.counted(&w)
		}
		p.Parts = append(p.Parts, w.plan)
		u.reads += w.reads
		u.cost += float64(len(ranges)) * rangeCost
	}
	u.cost += u.reads * (entryCost + followCost + sortCost)
	return u, true
}

func byCost(a, b candidate) int {
	switch {
	case a.cost < b.cost:
		return -1
	case a.cost > b.cost:
		return 1
	}
	return 0
}

// sure reports whether no count can make the walk the wrong choice.
func (w *candidate) sure(primary *candidate) bool {
	return w.cost < primary.cost && w.plan.Ordered && w.plan.Residual == ankql.True
}

func (c *chooser) primary() candidate {
	ranges, used := idRanges(c.boxes)
	p := &Plan{Method: Primary, Ranges: ranges, order: c.selection.Order, fixed: c.fixed}
	p.Ordered, p.Reverse = idOrder(c.selection.Order, c.fixed)
	p.Residual = c.residual(used)
	return candidate{plan: p, part: used.fraction, reads: used.fraction * c.rows}
}

func (c *chooser) walk(ix *Index) candidate {
	ranges, used := indexRanges(ix, c.boxes)
	p := &Plan{Method: Walk, Index: ix, Ranges: ranges, order: c.selection.Order, fixed: c.fixed}
	p.Ordered, p.Reverse, p.Descending = indexOrder(ix, c.selection.Order, c.fixed)
	p.Residual = c.residual(used)
	w := candidate{plan: p, part: used.fraction, reads: used.fraction * c.rows}
	if n := float64(len(ranges)); ix.Unique && c.pins(ix) && n < w.reads {
		w.reads = n
	}
	return w
}

// pins reports whether every box gives every column of the index single values.
func (c *chooser) pins(ix *Index) bool {
	for _, b := range c.boxes {
		for _, column := range ix.Columns {
			if s, ok := b.sets[column.Path.String()]; !ok || !allPoints(s) {
				return false
			}
		}
	}
	return true
}

// counted puts the number of entries in place of the guess.
func (c *chooser) counted(w *candidate) {
	if w.part >= 1 {
		return // that is the number of rows
	}
	n, all := c.count(w.plan.Index, w.plan.Ranges)
	if !all {
		w.reads = max(w.reads, float64(n))
		return
	}
	w.reads = float64(n)
	c.matching = min(c.matching, w.reads/c.rows)
}

// price sets the cost of a plan. What is ordered can stop when it has found as many as are
// wanted; what is not has to be read whole, the entries at least.
func (c *chooser) price(w *candidate) {
	p, needed := w.plan, w.reads
	walk := p.Method == Walk
	if p.Ordered || walk && c.byID() {
		needed = min(needed, c.want*max(w.reads, 1)/max(c.matching*c.rows, 1))
		needed = max(needed, min(w.reads, c.want))
	}
	if !walk {
		w.cost = needed
	} else {
		entries := needed
		if !p.Ordered {
			entries = w.reads
		}
		w.cost = entries*entryCost + needed*followCost
	}
	if !p.Ordered {
		w.cost += needed * sortCost
	}
	if p.Reverse {
		w.cost *= reverseCost
	}
	w.cost += float64(len(p.Ranges)) * rangeCost
}

// byID reports whether the order is that of ascending ids, which entries tell without
// their rows.
func (c *chooser) byID() bool {
	ordered, reverse := idOrder(c.selection.Order, c.fixed)
	return ordered && !reverse
}

// residual leaves out of the predicate what the ranges already say.
func (c *chooser) residual(used coverage) ankql.Expr {
	if used.exact {
		return ankql.True
	}
	all, ok := c.where.(*ankql.Conjunction)
	if !ok || len(c.boxes) > 1 {
		return c.where
	}
	left := ankql.True
	for _, t := range all.Terms {
		if !used.says(t) {
			left = ankql.And(left, t)
		}
	}
	return left
}
