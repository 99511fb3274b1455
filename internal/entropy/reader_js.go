package entropy

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// Reader returns random bytes and never fails; it may be used from many goroutines.
var Reader io.Reader = runtimeSource{}

type runtimeSource struct{}

// Read implements io.Reader.
func (runtimeSource) Read(b []byte) (int, error) {
	n := len(b)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, rand.Uint64())
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], rand.Uint64())
		copy(b, last[:])
	}
	return n, nil
}
