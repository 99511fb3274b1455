package main

import "testing"

func TestHeapMayGrowByTheHeadroomButAlwaysByTheUsual(t *testing.T) {
	for _, tc := range []struct {
		live uint64
		want int
	}{
		{0, 400}, {1 << 20, 400}, {8 << 20, 400}, {16 << 20, 200}, {32 << 20, 100}, {1 << 30, 100},
	} {
		if got := percentFor(tc.live); got != tc.want {
			t.Errorf("%d MiB live: %d %%, want %d %%", tc.live>>20, got, tc.want)
		}
	}
}

// The next collection was set by what was alive at the last one; so that can be told from it.
func TestLiveIsWhatTheNextCollectionWasSetBy(t *testing.T) {
	for _, live := range []uint64{0, 1 << 20, 6 << 20, 100 << 20} {
		for _, percent := range []int{usual, 250, mostGrowth} {
			next := live + live*uint64(percent)/100
			if got := liveOf(next, percent); got != live {
				t.Errorf("%d bytes live, %d %%: read back as %d", live, percent, got)
			}
		}
	}
}
