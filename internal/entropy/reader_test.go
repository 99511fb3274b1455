package entropy

import (
	"io"
	"testing"
)

// Every length is filled to its last byte, and no two of many ids are the same.
func TestReaderFillsWithWhatIsNew(t *testing.T) {
	for n := range 40 {
		var seen [40]bool
		for range 200 {
			b := make([]byte, n)
			if got, err := io.ReadFull(Reader, b); got != n || err != nil {
				t.Fatalf("%d of %d bytes, %v", got, n, err)
			}
			for i := range b {
				seen[i] = seen[i] || b[i] != 0
			}
		}
		for i := range n {
			if !seen[i] {
				t.Errorf("byte %d of %d is always zero", i, n)
			}
		}
	}
	ids := map[[16]byte]bool{}
	for range 10_000 {
		var id [16]byte
		if _, err := io.ReadFull(Reader, id[:]); err != nil {
			t.Fatal(err)
		}
		if ids[id] {
			t.Fatalf("%x came twice", id)
		}
		ids[id] = true
	}
}
