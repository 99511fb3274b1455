package ankql

// EachField calls visit for every field in e, in the order in which they are written.
func EachField(e Expr, visit func(*Field)) {
	switch e := e.(type) {
	case *Conjunction:
		for _, t := range e.Terms {
			EachField(t, visit)
		}
	case *Disjunction:
		for _, t := range e.Terms {
			EachField(t, visit)
		}
	case *Negation:
		EachField(e.Term, visit)
	case *Comparison:
		visit(e.Left)
		if right, ok := e.Right.(*Field); ok {
			visit(right)
		}
	case *Membership:
		visit(e.Field)
	case *Match:
		visit(e.Field)
	case *NullTest:
		visit(e.Field)
	}
}
