package ankql

import (
	"strconv"
	"unicode/utf8"
)

// What the errors of the parser say besides what was expected: how to put right what people
// bring along from other languages.

const (
	comparisons = "a comparison (=, !=, <, <=, >, >=, IN, BETWEEN, LIKE, ILIKE, IS NULL)"
	further     = "AND, OR, ORDER BY, LIMIT or the end of the text"

	hintChain     = "comparisons do not chain: write a = b AND b = c"
	hintOffset    = "there is no OFFSET; compare with the last row's values"
	hintSelection = "a selection is only what follows WHERE"
	hintSubquery  = "there are no subqueries"
)

// wordHints explain words that are none of this language where they stand behind an operand
// or a predicate.
var wordHints = map[string]string{
	"OFFSET": hintOffset, "GROUP": "groups are for aggregates", "HAVING": "groups are for aggregates",
	"ISNULL": "write IS NULL", "NOTNULL": "write IS NOT NULL", "CONTAINS": "write LIKE '%text%'", "STARTSWITH": "write LIKE 'text%'", "ENDSWITH": "write LIKE '%text'",
	"REGEXP": hintPattern, "RLIKE": hintPattern, "SIMILAR": hintPattern, "GLOB": hintPattern, "MATCHES": hintPattern,
	"XOR": "write a != b of two bools", "COLLATE": "text is compared by its bytes; ILIKE takes either case", "EQUALS": "write =",
}

const hintPattern = "patterns are written LIKE 'a%' or ILIKE 'a%'"

// firstHints explain a text that begins with a word of another language.
var firstHints = map[string]string{
	"SELECT": hintSelection, "WHERE": hintSelection, "FROM": hintSelection, "DELETE": hintSelection, "UPDATE": hintSelection,
	"LIMIT": "LIMIT takes a number of rows", "OFFSET": hintOffset, "EXISTS": hintSubquery, "FETCH": "write LIMIT n", "TOP": "write LIMIT n at the end",
}

// hintOf returns what is said of a word, in any case.
func hintOf(hints map[string]string, word string) string {
	for w, hint := range hints {
		if equalWord(word, w) {
			return hint
		}
	}
	return ""
}

// trailing explains a token that nothing could take.
func (p *parser) trailing(s *Selection) error {
	switch {
	case s.Limit != NoLimit && p.tok.keyword("ORDER"):
		return p.unexpected("the end of the text", "ORDER BY stands before LIMIT")
	case s.Limit != NoLimit && p.tok.is(","), p.tok.keyword("OFFSET"):
		return p.unexpected("the end of the text", hintOffset)
	case s.Limit != NoLimit:
		return p.unexpected("the end of the text", "")
	case s.Order != nil:
		return p.unexpected(", LIMIT or the end of the text", orderHint(p.tok))
	case p.tok.is(")"):
		return p.unexpected("the end of the text", "there is no parenthesis to close")
	case p.bare && p.tok.kind == tokenNumber && firstWordHint(s.Where) == "":
		return p.unexpected(comparisons, "there is no arithmetic")
	case p.bare:
		hint := firstWordHint(s.Where)
		if hint == "" {
			hint = p.wordHint()
		}
		return p.unexpected(comparisons+", "+further, hint)
	case isComparison(p.tok):
		return p.unexpected(further, hintChain)
	case p.tok.is(","):
		return p.unexpected(further, "predicates are joined by AND")
	}
	return p.unexpected(further, p.wordHint())
}

// wordHint explains the next token where a comparison, AND or OR could stand.
func (p *parser) wordHint() string {
	switch {
	case p.tok.kind == tokenName:
		return hintOf(wordHints, p.tok.text)
	case p.bare && p.tok.is("("):
		return "there are no functions; counts and sums are aggregates"
	}
	return ""
}

// firstWordHint explains a text that begins like something else.
func firstWordHint(where Expr) string {
	c, ok := where.(*Comparison)
	if !ok || len(c.Left.Path) != 1 {
		return ""
	}
	return hintOf(firstHints, c.Left.Path[0])
}

// itemHint explains what follows the items so far of a list.
func itemHint(items []operand) string {
	last := items[len(items)-1]
	if len(items) == 1 && last.field != nil && equalWord(last.field.Path[0], "SELECT") {
		return hintSubquery
	}
	return ""
}

// orderHint explains a token behind a key of ORDER BY.
func orderHint(t token) string {
	switch {
	case t.keyword("ASC"), t.keyword("DESC"):
		return "ASC or DESC comes once, before NULLS"
	case t.is("("):
		return "there are no functions; rows are ordered by properties"
	case t.keyword("NULL"):
		return "write NULLS FIRST or NULLS LAST"
	}
	return ""
}

// unclosed explains what stands where a parenthesis could be closed.
func (p *parser) unclosed(open position) error {
	expected := "AND, OR or a closing parenthesis"
	if p.bare {
		expected = comparisons + ", AND, OR or a closing parenthesis"
	}
	hint := p.wordHint()
	switch {
	case p.tok.is(","):
		hint = "a list of values follows IN"
	case hint == "":
		hint = "it was opened in line " + strconv.Itoa(int(open.line)) + ", column " + strconv.Itoa(int(open.column))
	}
	return p.unexpected(expected, hint)
}

// operandHint explains the next token in the place of a value or a property.
func (p *parser) operandHint() string {
	switch t := p.tok; {
	case t.is("(") && p.peek().keyword("SELECT"):
		return hintSubquery
	case t.keyword("NULL"):
		return "nothing equals NULL; use IS NULL or IS NOT NULL"
	case t.keyword("AND"), t.keyword("OR"):
		return "it joins two predicates" + keywordNameHint(t)
	case t.keyword("IN"), t.keyword("BETWEEN"), t.keyword("LIKE"), t.keyword("ILIKE"), t.keyword("IS"):
		return "a property stands before it" + keywordNameHint(t)
	case t.kind == tokenName:
		return `a property with the name of a keyword is written "` + clip(t.text) + `"`
	case t.is("("):
		return "parentheses hold predicates, and lists after IN"
	case t.is("."):
		return "a number has digits before the point, a path begins with a property"
	case t.is(">"), t.is("<"):
		return "the operators are =, !=, <, <=, > and >="
	}
	return ""
}

func keywordNameHint(t token) string {
	return `; a property of that name is written "` + clip(t.text) + `"`
}

// symbolHints explain characters that are none of this language.
var symbolHints = map[rune]string{
	';': "a selection is one predicate; leave the semicolon out",
	'+': "there is no arithmetic",
	'-': "there is no arithmetic; a negative number has its sign right before it",
	'*': "there is no arithmetic",
	'/': "there is no arithmetic",
	'%': "there is no arithmetic; patterns are texts: name LIKE 'a%'",
	'&': "write AND",
	'|': "write OR",
	'~': hintPattern,
	'[': `object keys follow a dot: meta.key or meta."a key"; lists are written (1, 2)`,
	'{': "JSON is passed as a parameter",
	'#': "there are no comments",
	'`': `names are quoted like "this"`,
	'‘': hintStraight,
	'’': hintStraight,
	'‚': hintStraight,
	'´': hintStraight,
	'“': hintStraight,
	'”': hintStraight,
	'„': hintStraight,
	'$': "parameters are written ? or :name",
	'@': "parameters are written ? or :name",
	'≠': "write !=",
	'≤': "write <=",
	'≥': "write >=",
	'∧': "write AND",
	'∨': "write OR",
	'¬': "write NOT",
	'∈': "write IN",
}

const hintStraight = "text is quoted with the straight quote '"

// symbolHint explains the character c, which the lexer has just passed.
func (l *lexer) symbolHint(c rune) string {
	next, _ := utf8.DecodeRuneInString(l.text[l.pos:])
	if c == '-' && next == '-' || c == '/' && (next == '*' || next == '/') {
		return "there are no comments"
	}
	return symbolHints[c]
}
