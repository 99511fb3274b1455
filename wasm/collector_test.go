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
