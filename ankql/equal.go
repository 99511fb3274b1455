package ankql

import (
	"slices"

	"github.com/ankurah-go/ankurah/core/value"
)

// Equal reports whether two selections are the same tree, wherever they were written.
func Equal(a, b *Selection) bool {
	return equalExpr(a.Where, b.Where) && a.Limit == b.Limit && slices.EqualFunc(a.Order, b.Order, func(a, b Order) bool {
		return slices.Equal(a.Path, b.Path) && a.Desc == b.Desc && a.Nulls == b.Nulls
	})
}

func equalExpr(a, b Expr) bool {
	switch a := a.(type) {
	case *Conjunction:
		b, ok := b.(*Conjunction)
		return ok && slices.EqualFunc(a.Terms, b.Terms, equalExpr)
	case *Disjunction:
		b, ok := b.(*Disjunction)
		return ok && slices.EqualFunc(a.Terms, b.Terms, equalExpr)
	case *Negation:
		b, ok := b.(*Negation)
		return ok && equalExpr(a.Term, b.Term)
	case *Comparison:
		b, ok := b.(*Comparison)
		return ok && a.Op == b.Op && equalOperand(a.Left, b.Left) && equalOperand(a.Right, b.Right)
	case *Membership:
		b, ok := b.(*Membership)
		return ok && equalOperand(a.Field, b.Field) && slices.EqualFunc(a.Items, b.Items, identical)
	case *Match:
		b, ok := b.(*Match)
		return ok && equalOperand(a.Field, b.Field) && a.Pattern == b.Pattern && a.Fold == b.Fold && a.escape() == b.escape()
	case *NullTest:
		b, ok := b.(*NullTest)
		return ok && equalOperand(a.Field, b.Field)
	}
	return a == b
}

func (m *Match) escape() rune {
	if m.Escape == 0 {
		return '\\'
	}
	return m.Escape
}

func equalOperand(a, b Operand) bool {
	switch a := a.(type) {
	case *Field:
		b, ok := b.(*Field)
		return ok && slices.Equal(a.Path, b.Path)
	case *Literal:
		b, ok := b.(*Literal)
		return ok && identical(a.Value, b.Value)
	}
	return a == b
}

// identical reports whether two values are the same, bit by bit.
func identical(a, b value.Value) bool { return a == b }
