package ankql

// Costs in comparisons, about: of a step to another entity, of what a pattern looks for
// anywhere in a text, and of a list and of a pattern by their length.
const (
	costOfStep    = 10
	costOfSearch  = 10
	costOfItems   = 100 // items that make a list one comparison dearer: for their memory
	costOfPattern = 64  // bytes of a pattern likewise
)

// Cost returns about how many comparisons it takes to hold one entity against the selection:
// one for each term, more for long patterns and lists, and ten for each reference that a path
// follows and for each pattern that is searched for. Keys of the order count as terms.
func (s *Selection) Cost() int {
	cost := costOf(s.Where)
	for _, o := range s.Order {
		cost += 1 + costOfStep*len(o.targets)
	}
	return cost
}

func costOf(e Expr) int {
	switch e := e.(type) {
	case *Conjunction:
		return costOfAll(e.Terms)
	case *Disjunction:
		return costOfAll(e.Terms)
	case *Negation:
		return costOf(e.Term)
	case *Comparison:
		cost := 1 + costOfStep*len(e.Left.Targets)
		if right, ok := e.Right.(*Field); ok {
			cost += 1 + costOfStep*len(right.Targets)
		}
		return cost
	case *Membership:
		return 1 + costOfStep*len(e.Field.Targets) + len(e.Items)/costOfItems
	case *Match:
		cost := 2 + costOfStep*len(e.Field.Targets) + len(e.Pattern)/costOfPattern
		if e.searches() {
			cost += costOfSearch
		}
		return cost
	case *NullTest:
		return 1 + costOfStep*len(e.Field.Targets)
	}
	return 0
}

func costOfAll(terms []Expr) (cost int) {
	for _, t := range terms {
		cost += costOf(t)
	}
	return cost
}
