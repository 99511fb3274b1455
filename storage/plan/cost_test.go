package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage/plan"
)

// adversaries are predicates that fill what a text may hold, over few paths and over many.
var adversaries = map[string]func(i int) string{
	"a = i OR":            func(i int) string { return fmt.Sprintf("a=%d OR ", i*7919%100003) },
	"a != i AND":          func(i int) string { return fmt.Sprintf("a!=%d AND ", i*7919%100003) },
	"a > i OR":            func(i int) string { return fmt.Sprintf("a>%d OR ", i) },
	"NOT a = i OR":        func(i int) string { return fmt.Sprintf("NOT a=%d OR ", i) },
	"a = i AND c = i OR":  func(i int) string { return fmt.Sprintf("a=%d AND c=%d OR ", i, i) },
	"(a = i OR c = i)":    func(i int) string { return fmt.Sprintf("(a=%d OR c=%d) AND ", i, i) },
	"a IN (i, i + 1) OR":  func(i int) string { return fmt.Sprintf("a IN (%d,%d) OR ", 3*i, 3*i+1) },
	"a NOT IN (i, j) AND": func(i int) string { return fmt.Sprintf("a NOT IN (%d,%d) AND ", 3*i, 3*i+1) },
	"j.k = i OR":          func(i int) string { return fmt.Sprintf("j.k%d=1 OR ", i) },
	"b LIKE 'i%' OR":      func(i int) string { return fmt.Sprintf("b LIKE 'x%d%%' OR ", i) },
}

// TestBoundsCostWhatTheTextIsLong: twice the text is about twice the work, for any predicate
// that a peer may send: the work is done where others wait.
func TestBoundsCostWhatTheTextIsLong(t *testing.T) {
	for name, term := range adversaries {
		cost := func(bytes int) time.Duration {
			var b strings.Builder
			for i := 0; b.Len() < bytes; i++ {
				b.WriteString(term(i))
			}
			parsed, err := ankql.Parse(b.String() + "c=1")
			if err != nil {
				t.Fatal(err)
			}
			s, err := parsed.Check(model)
			if err != nil {
				t.Fatal(err)
			}
			best := time.Duration(1 << 62)
			for range 3 {
				begin := time.Now()
				plan.Bounds(s.Where)
				best = min(best, time.Since(begin))
			}
			return best
		}
		small, large := cost(ankql.MaxText/32), cost(ankql.MaxText/2)
		if large > 80*small+20*time.Millisecond { // 16 times the text, whose square is 256
			t.Errorf("%s: %v, and %v of 16 times as much", name, small, large)
		}
	}
}
