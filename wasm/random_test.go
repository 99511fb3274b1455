package main

import (
	"bytes"
	"testing"
)

func TestRandomPoolFillsAnyLengthAndNeverRepeats(t *testing.T) {
	var pool randomPool
	seen := map[string]bool{}
	for _, size := range []int{0, 1, 16, 4095, 4096, 4097, 16, 10_000, 16, 16} {
		b := make([]byte, size)
		if n, err := pool.Read(b); n != size || err != nil {
			t.Fatalf("read %d of %d bytes: %v", n, size, err)
		}
		for i := 0; i+16 <= size; i += 16 {
			if part := string(b[i : i+16]); seen[part] || part == string(make([]byte, 16)) {
				t.Fatalf("%x came twice", part)
			} else {
				seen[part] = true
			}
		}
	}
}

func TestRandomPoolKeepsNothingOfWhatItHandedOut(t *testing.T) {
	var pool randomPool
	b := make([]byte, 32)
	if _, err := pool.Read(b); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(pool.supply[:], b) {
		t.Error("the pool still holds bytes that it handed out")
	}
}
