package ankql_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// TestCoercionMatrix: 146 and 147. testdata/coercion.txt says what becomes of each value, as a
// literal or parameter, that meets a property of each type: what it is converted to, or the
// error. Nothing is rounded, and no text is taken for what it does not say.
func TestCoercionMatrix(t *testing.T) {
	m := &schema.Model{Collection: "m"}
	for _, typ := range []schema.Type{schema.TypeBool, schema.TypeInt, schema.TypeFloat, schema.TypeString, schema.TypeTime, schema.TypeEnum, schema.TypeRef, schema.TypeBytes, schema.TypeJSON} {
		p := schema.Property{Name: string(typ), Type: typ, Optional: true}
		if typ == schema.TypeEnum {
			p.Enum = []string{"lp", "1"}
		}
		m.Properties = append(m.Properties, p)
	}
	var out strings.Builder
	for _, given := range []any{
		"1", "-1", "1.0", "1.5", "1e19", "9223372036854775807", "9007199254740993", "TRUE", "'true'", "'TRUE'", "'yes'", "'1'", "' 1 '", "'1.0'", "'1.5'", "'0x10'", "'1e3'", "'9223372036854775808'", "'NaN'", "'inf'", "'abc'", "''", "'lp'",
		"'2006-01-02'", "'2006-01-02 15:04:05'", "'2006-01-02T15:04:05Z'", "'2006-01-02T15:04:05.000001+02:00'", "'2006-01-02T15:04:05.123456789Z'", "'" + entity(1).String() + "'",
		nil, []byte("ab"), entity(1), time.UnixMicro(1).UTC(), map[string]any{"a": 1}, math.NaN(), math.Inf(1), uint8(7), value.Int(math.MinInt64), true,
	} {
		text, literal := given.(string)
		if !literal {
			text = "?"
			fmt.Fprintf(&out, "%T(%v)\n", given, given)
		} else {
			fmt.Fprintf(&out, "%s\n", given)
		}
		for _, p := range m.Properties {
			var params []any
			if !literal {
				params = []any{given}
			}
			for _, form := range []string{p.Name + " = " + text, text + " = " + p.Name, p.Name + " IN (" + text + ")"} {
				s, err := ankql.Parse(form, params...)
				if err != nil {
					t.Fatalf("%s: %v", form, err)
				}
				s, err = s.Check(m)
				if form == p.Name+" = "+text {
					fmt.Fprintf(&out, "  %-6s %s\n", p.Name, outcome(s, err))
					continue
				}
				// However it is written, the same becomes of it.
				first, firstErr := ankql.Parse(p.Name+" = "+text, params...)
				if firstErr == nil {
					first, firstErr = first.Check(m)
				}
				if (err == nil) != (firstErr == nil) || err == nil && s.Key() != first.Key() && !strings.Contains(form, "IN (?") && given != nil {
					t.Errorf("%s is %v, %v; %s is %v, %v", form, s, err, p.Name+" = "+text, first, firstErr)
				}
			}
		}
	}
	path := filepath.Join("testdata", "coercion.txt")
	if *rewrite {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("differs from %s; -rewrite writes it:\n%s", path, out.String())
	}
}

func outcome(s *ankql.Selection, err error) string {
	if err != nil {
		return strings.TrimPrefix(err.Error(), "ankql: ")
	}
	v := s.Where.(*ankql.Comparison).Right.(*ankql.Literal).Value
	return v.Kind().String() + " " + v.String()
}
