package reactor

import (
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
)

// FuzzWatch: whatever a selection says, its watcher hears of each change that it is true of
// before or after, and of no other, among the watchers of other selections.
func FuzzWatch(f *testing.F) {
	for _, text := range []string{
		"", "FALSE", "year IS NULL OR NOT live", "meta.n IN (1, '9', NULL)", "name LIKE 'a%' AND year > -5", "NOT (year = 1 OR rating != 1.5)",
		"5 < year AND year <= 9 OR artist = id", "name = meta.text", "meta", "name NOT IN ('a', 'b')", "rating BETWEEN -1e300 AND 0.1",
	} {
		f.Add(text, uint64(len(text)))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		parsed, err := ankql.Parse(text)
		if err != nil {
			return
		}
		s, err := parsed.Check(album)
		if err != nil {
			return
		}
		w := newWorld(seed)
		var r Reactor
		var log []heard
		var tx *Transaction
		watches := map[int]*Watch{}
		for n := range 8 {
			other := w.Selection("album")
			if n == 3 {
				other = s
			}
			watches[n] = r.Watch("album", other, &recorder{n, &log, &tx})
		}
		for range 10 {
			tx = &Transaction{Changes: []Change{w.change(), w.change()}}
			log = nil
			r.Publish(tx)
			if want := bruteForce(watches, tx); !slices.Equal(log, want) {
				t.Fatalf("%s: told %v, want %v", s, log, want)
			}
		}
	})
}
