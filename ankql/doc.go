// Package ankql is the query language: which entities of a collection are wanted, in
// which order, and how many.
//
// [Parse] makes a [Selection] of text and parameters; [From] and the conditions beside it
// make the same trees in Go. [Selection.Check] ties a selection to a model. A checked
// selection is evaluated in memory ([Selection.Matches], [Selection.AppendSortKey]), taken
// apart by planners and engines, and printed to be sent ([Selection.Text]). The package
// knows no engine.
//
// # Grammar
//
//	selection  = [ predicate ] [ "ORDER" "BY" key { "," key } ] [ "LIMIT" ( number | param ) ] .
//	key        = path [ "ASC" | "DESC" ] [ "NULLS" ( "FIRST" | "LAST" ) ] .
//	predicate  = conjunct { "OR" conjunct } .
//	conjunct   = negation { "AND" negation } .
//	negation   = { "NOT" } primary .
//	primary    = "(" predicate ")" | test .
//	test       = operand ( "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) operand
//	           | operand [ "NOT" ] "IN" ( "(" [ operand { "," operand } ] ")" | param )
//	           | operand [ "NOT" ] "BETWEEN" operand "AND" operand
//	           | path [ "NOT" ] ( "LIKE" | "ILIKE" ) ( text | param ) [ "ESCAPE" text ]
//	           | operand "IS" [ "NOT" ] "NULL"
//	           | path | param | "TRUE" | "FALSE" .
//	operand    = path | literal | param .
//	path       = name { "." name } .
//	literal    = number | text | "TRUE" | "FALSE" .
//	number     = [ "+" | "-" ] digits [ "." digits ] [ ( "e" | "E" ) [ "+" | "-" ] digits ] .
//	text       = "'" { character | "''" } "'" .
//	name       = word | '"' { character | '""' } '"' .
//	word       = ( letter | "_" ) { letter | digit | "_" | "-" } .
//	param      = "?" | ":" word .
//
// Letters and digits are those of every script; names keep their case. A dash inside a
// word belongs to it, so a-b is one name; there is no arithmetic. Keywords may be written
// in either case. AND, OR, NOT, IN, IS, NULL, TRUE, FALSE, BETWEEN, LIKE and ILIKE are
// reserved: a path that begins with one of them has it in double quotes. ORDER, BY, LIMIT,
// ASC, DESC, NULLS, FIRST, LAST and ESCAPE are names wherever they do not begin a clause;
// ORDER does before BY, LIMIT before a number or a parameter. A text in
// which nothing, or no predicate, is written selects everything.
//
// A number with a decimal point or an exponent is a float, any other an int of 64 bits. In
// a pattern % stands for any text, _ for one character (a code point), and the escape
// character, by default a backslash, takes the meaning from the character after it;
// ESCAPE ” is for none. A pattern describes the whole text. ILIKE compares letters by
// Unicode simple case folding.
//
// # Values
//
// Check converts a literal to the declared type of the property that it meets: '5' to
// an int, 2020 to a text, 26 characters to an id, '2006-01-02' to a time. What cannot be
// converted is an error. Ints and floats meet as they are, by value: nothing is
// rounded, and no int equals 1.5.
//
// In a path, what follows a JSON property names object keys, and what follows a reference
// names properties of the entity referred to. JSON has no declared types inside: 9 and '9'
// differ there, and an id is its 26 characters.
//
// # NULL
//
// A property that was never set is NULL; so is a JSON null, a key that is not there, and
// what lies behind a reference to nothing. Predicates are three-valued:
//
//   - comparing NULL, or values of different families (bool, number, text, bytes, id, JSON
//     array or object), is unknown, for <> too
//   - NOT unknown is unknown; AND is false if a term is false, else unknown if one is;
//     OR is true if a term is true, else unknown if one is
//   - x IN (a, b) is x = a OR x = b; x IN () is false, even for NULL
//   - x BETWEEN a AND b is x >= a AND x <= b
//   - LIKE of anything but text is unknown
//   - IS NULL is true or false, never unknown
//   - a selection selects what its predicate is true of
//
// A parameter that is nil is NULL: x = ? is then unknown, not IS NULL. The word NULL is
// refused where a value stands, since it could not do what its writer means.
//
// # Order
//
// Values sort by the one total order of package value. NULL is last ascending and first
// descending, unless NULLS says otherwise. The entity's id, ascending, breaks ties, and is
// the order where nothing else is said.
//
// # Concurrency
//
// Selections and predicates are immutable and may be shared.
//
// # Errors
//
// Parse and Check return an [*Error], with the position where there is a text.
package ankql
