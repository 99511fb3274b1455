package value

import "testing"

func BenchmarkAppendKey(b *testing.B) {
	for name, v := range map[string]Value{"int": Int(1 << 60), "float": Float(1.5), "string": String("Origin of Symmetry"), "json": mustJSON("rock")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var key []byte
			for b.Loop() {
				key = AppendKey(key[:0], v, Ascending)
			}
		})
	}
}

func BenchmarkPath(b *testing.B) {
	for name, path := range map[string][]string{"text": {"genre"}, "deep": {"label", "country", "code"}, "missing": {"none of these"}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				meta.Path(path...)
			}
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	for name, pair := range map[string][2]Value{
		"ints": {Int(1), Int(2)}, "mixed": {Int(1 << 60), Float(1 << 60)}, "strings": {String("Muse"), String("Mush")}, "json": {mustJSON("a"), String("b")},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Compare(pair[0], pair[1])
			}
		})
	}
}
