package ankql_test

import (
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{
		"short": "name = 'Abbey Road'",
		"long":  "(year > 1985 OR rating BETWEEN 1.5 AND 4.5) AND name NOT IN ('a', 'b', 'c') AND NOT meta.genre = 'rock' ORDER BY year DESC, name LIMIT 50",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ankql.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMatches evaluates predicates over stored states, as a full scan does; ns/op is
// for one row, and so milliseconds for a million of them.
func BenchmarkMatches(b *testing.B) {
	records := make([]*proto.Record, 1000)
	for i := range records {
		meta, err := value.JSON(map[string]any{"genre": "rock", "track": map[string]any{"n": i}})
		if err != nil {
			b.Fatal(err)
		}
		records[i] = &proto.Record{Entity: entity(byte(i)), State: &proto.State{Properties: []proto.PropertyState{
			{Name: "active", Value: value.Bool(i%2 == 0)}, {Name: "meta", Value: meta}, {Name: "name", Value: value.String(fmt.Sprintf("Album number %d", i))},
			{Name: "plays", Value: value.Int(int64(i))}, {Name: "rating", Value: value.Float(float64(i) / 10)}, {Name: "year", Value: value.String(fmt.Sprint(1900 + i%100))},
		}}}
	}
	ids := make([]int, 10_000)
	for i := range ids {
		ids[i] = i * 2
	}
	for _, c := range []struct {
		name, text string
		params     []any
	}{
		{"equal", "year = '1985'", nil},
		{"range", "plays BETWEEN 100 AND 200", nil},
		{"and-or", "(year > '1985' OR rating < 4.5) AND active AND name != 'x'", nil},
		{"like", "name LIKE '%ber 99%'", nil},
		{"ilike", "name ILIKE '%NUMBER 99%'", nil},
		{"in-10000", "plays IN ?", []any{ids}},
		{"json", "meta.track.n > 500", nil},
		{"json-text", "meta.genre = 'rock'", nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := mustCheck(b, albumModel, c.text, c.params...)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s.Matches(records[i%len(records)])
				i++
			}
		})
	}
}

func BenchmarkSortKey(b *testing.B) {
	s := mustCheck(b, albumModel, "ORDER BY year DESC, name")
	r := row{"year": value.String("1985"), "name": value.String("Brothers in Arms")}
	var key []byte
	b.ReportAllocs()
	for b.Loop() {
		key = s.AppendSortKey(key[:0], r, entity(1))
	}
}
