package ankql

// Truth is what a predicate says of a row, in SQL's three-valued logic. The numbers make
// AND the least, OR the greatest and NOT the mirror image.
type Truth uint8

// The truth values.
const (
	TruthFalse Truth = iota
	TruthUnknown
	TruthTrue
)

// String returns FALSE, UNKNOWN or TRUE.
func (t Truth) String() string { return [...]string{"FALSE", "UNKNOWN", "TRUE"}[t] }

// Not returns the negation of t.
func (t Truth) Not() Truth { return TruthTrue - t }

func truthOf(b bool) Truth {
	if b {
		return TruthTrue
	}
	return TruthFalse
}

// And returns the conjunction of a and b. It flattens conjunctions and leaves out True.
func And(a, b Expr) Expr { return conjunction(a, b) }

// Or returns the disjunction of a and b. It flattens disjunctions and leaves out False.
func Or(a, b Expr) Expr { return disjunction(a, b) }

// Not returns the negation of e: of a negation its term, of a constant the opposite one.
func Not(e Expr) Expr {
	switch e := e.(type) {
	case Constant:
		return Constant(Truth(e).Not())
	case *Negation:
		return e.Term
	}
	return &Negation{Term: e}
}

func conjunction(terms ...Expr) Expr {
	flat := make([]Expr, 0, len(terms))
	for _, t := range terms {
		if c, ok := t.(*Conjunction); ok {
			flat = append(flat, c.Terms...)
		} else if t != nil && t != True {
			flat = append(flat, t)
		}
	}
	switch len(flat) {
	case 0:
		return True
	case 1:
		return flat[0]
	}
	return &Conjunction{Terms: flat}
}

func disjunction(terms ...Expr) Expr {
	flat := make([]Expr, 0, len(terms))
	for _, t := range terms {
		if d, ok := t.(*Disjunction); ok {
			flat = append(flat, d.Terms...)
		} else if t != nil && t != False {
			flat = append(flat, t)
		}
	}
	switch len(flat) {
	case 0:
		return False
	case 1:
		return flat[0]
	}
	return &Disjunction{Terms: flat}
}
