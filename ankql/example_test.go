package ankql_test

import (
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
)

func ExampleParse() {
	s, err := ankql.Parse("year BETWEEN ? AND ? AND name NOT IN ('Drones') ORDER BY year DESC LIMIT 10", 1999, 2009)
	fmt.Println(s, err)
	// Output: year >= 1999 AND year <= 2009 AND name NOT IN ('Drones') ORDER BY year DESC LIMIT 10 <nil>
}

func ExampleParse_named() {
	s, err := ankql.Parse("artist.name = :name AND id IN :ids", ankql.Named{"name": "Muse", "ids": []string{"01ARZ3NDEKTSV4RRFFQ69G5FAV"}})
	fmt.Println(s, err)
	// Output: artist.name = 'Muse' AND id IN ('01ARZ3NDEKTSV4RRFFQ69G5FAV') <nil>
}

func ExampleError() {
	_, err := ankql.Parse("year > 1999 AND artist = NULL")
	var e *ankql.Error
	if errors.As(err, &e) {
		fmt.Println(e.Pos, e.Got)
	}
	fmt.Println(err)
	// Output:
	// 25 NULL
	// ankql: line 1, column 26: expected a value or a property, got NULL (use IS NULL)
}

func ExampleSelection_Check() {
	s, _ := ankql.Parse("yaer > 1999")
	_, err := s.Check(albumModel)
	fmt.Println(err)

	s, _ = ankql.Parse("year > 1999") // the model says that year is a text
	checked, _ := s.Check(albumModel)
	fmt.Println(checked)
	// Output:
	// ankql: line 1, column 1: expected a property of album, got yaer (did you mean year?)
	// year > '1999'
}

func ExampleSelection_Matches() {
	s, _ := ankql.Parse("plays > 10 OR name LIKE 'Abbey%'")
	fmt.Println(s.Matches(row{"name": value.String("Abbey Road")}))
	fmt.Println(s.Matches(row{"name": value.String("Help!"), "plays": value.Int(3)}))
	// Output:
	// true
	// false
}

func ExampleSelection_Text() {
	s, _ := ankql.Parse("name = ? AND cover = ?", "it's", []byte{1, 2})
	text, params := s.Text()
	fmt.Println(text, params)
	// Output: name = 'it''s' AND cover = ? [bytes(0102)]
}

func ExampleFrom() {
	recent := ankql.Gt("year", 1999).Or(ankql.IsNull("year"))
	s, err := ankql.From(recent.And(ankql.In("format", []string{"lp", "cd"}))).OrderByDesc("year").OrderBy("name").Take(50).Selection()
	fmt.Println(s, err)
	// Output: (year > 1999 OR year IS NULL) AND format IN ('lp', 'cd') ORDER BY year DESC, name LIMIT 50 <nil>
}

func ExampleCondition_Not() {
	e, err := ankql.Like("name", "Live%").Not().Expr()
	fmt.Println(e, err)
	// Output: name NOT LIKE 'Live%' <nil>
}

// Pages of a list that goes on changing: a cursor is a position in the order, and what
// comes and goes elsewhere does not move it.
func ExampleSelection_After() {
	s, _ := ankql.Parse("format = 'lp' ORDER BY name LIMIT 50")
	checked, _ := s.Check(albumModel)
	lastShown := row{"name": value.String("Drones")}
	text := checked.Cursor(lastShown, entity(1), nil).String() // for a URL, say

	cursor, _ := ankql.ParseCursor(text)
	next, err := checked.After(cursor)
	fmt.Println(next, err)
	_, err = next.Reversed().After(cursor)
	fmt.Println(err)
	// Output:
	// format = 'lp' AND (name > 'Drones' OR name IS NULL OR name = 'Drones' AND id > '0000000000000G200000000000') ORDER BY name LIMIT 50 <nil>
	// ankql: no cursor of this order: it was made with another ORDER BY
}
