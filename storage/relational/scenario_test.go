package relational

import (
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
)

// TestScenario_166: what a selection says of JSON paths is said wholly in PostgreSQL's SQL, so
// that the database returns no row of which it is not true.
func TestScenario_166(t *testing.T) {
	table := NewTable("track", "track", []Column{{Property: "data", Name: "data", Type: JSON}})
	for _, text := range []string{
		"data.n = 9", "data.n = '9'", "data.n > 10", "data.n = TRUE", "data.level1.level2 = 'value'", "data.n IN (1, 2.5, 'x')",
		"data.n IS NULL", "data.n BETWEEN 1 AND 5", "data.a = 1 OR data.b = 2", "NOT data.n = 1", "data.text LIKE 'a%'",
	} {
		s, err := ankql.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if p := (&statement{dialect: Postgres, table: table}).predicate(s.Where); !p.exact {
			t.Errorf("%s is only %s", text, p.sql)
		}
	}
}
