package reactor

import (
	"fmt"
	"testing"
)

// BenchmarkPublish publishes one change that touches ten of n watches. It is to cost at
// most twice among ten thousand what it costs among ten.
func BenchmarkPublish(b *testing.B) {
	for _, shape := range []struct {
		name, text string
		params     func(n int) []any
	}{
		{"equality", "artist = ?", func(n int) []any { return []any{entity(n)} }},
		{"conjunction", "live = TRUE AND artist = ?", func(n int) []any { return []any{entity(n)} }},
		{"range", "year BETWEEN ? AND ?", func(n int) []any { return []any{10 * n, 10*n + 9} }},
		{"prefix", "name LIKE ?", func(n int) []any { return []any{fmt.Sprintf("%06d%%", n)} }},
	} {
		for _, n := range []int{10, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", shape.name, n), func(b *testing.B) {
				var r Reactor
				hears := &silent{}
				for i := range n {
					which := i
					if i < 10 {
						which = 5 // ten that are touched
					} else {
						which = i + 1000
					}
					r.Watch("album", selection(b, shape.text, shape.params(which)...), hears)
				}
				before := record(1, "artist", idValue(5), "year", 55, "name", "000005 before", "live", trueValue)
				after := record(1, "artist", idValue(5), "year", 56, "name", "000005 after", "live", trueValue)
				tx := &Transaction{Changes: []Change{changed(before, after)}}
				b.ReportAllocs()
				for b.Loop() {
					r.Publish(tx)
				}
				if hears.touched != 10*hears.settled {
					b.Fatalf("%d touches in %d transactions", hears.touched, hears.settled)
				}
			})
		}
	}
}

func BenchmarkWatchAndStop(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var r Reactor
			for i := range n {
				r.Watch("album", selection(b, "year BETWEEN ? AND ?", 10*i, 10*i+9), &silent{})
			}
			s := selection(b, "year BETWEEN 100 AND 200 AND live = TRUE")
			b.ReportAllocs()
			for b.Loop() {
				r.Watch("album", s, &silent{}).Stop()
			}
		})
	}
}
