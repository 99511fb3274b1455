// Package ankqltest makes random models, rows, selections and transactions for the tests of
// everything that answers selections, and says what the right answer is.
//
// A [Gen] is a source of randomness with a [World]: the models, and the rows that exist.
// [Gen.Fill] and [Gen.Op] make rows come, change and go; [Gen.Selection] asks about them, with
// values that often meet those of the rows, and the edges of every type.
// [World.Fetch] and [World.Truth] answer in the slowest and plainest way, with no code of
// package ankql but its trees: truth tables, exact fractions, regular expressions.
// [Shrink] makes a selection that shows a failure as small as it can.
//
//	func TestIndexEqualsScan(t *testing.T) {
//		ankqltest.Each(t, 200, func(t *testing.T, g *ankqltest.Gen) {
//			g.Fill("album", 50)
//			s := g.Selection("album")
//			want := g.World.Fetch("album", s)
//			…
//		})
//	}
//
// Everything follows from the seed, which a failing subtest has in its name. It is replayed
// by that name, and a long run is a greater number of seeds:
//
//	go test ./storage/kv -run 'TestIndexEqualsScan/seed=17$'
//	go test ./storage/kv -run TestIndexEqualsScan -ankql.seeds=100000
//
// # Concurrency
//
// Nothing here is safe for concurrent use, except that rows are never changed: who has one
// keeps it.
package ankqltest
