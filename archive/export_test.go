package archive

import (
	"encoding/binary"
)

// Sealed returns the beginning of an archive followed by a chunk of data with the given
// payload and a checksum that fits.
func Sealed(whole, payload []byte) []byte {
	header := len(magic) + 1
	header += frameSize + int(binary.BigEndian.Uint32(whole[header+2:]))
	b, err := appendChunk(append([]byte(nil), whole[:header]...), kindData, payload, nil)
	if err != nil {
		panic(err)
	}
	return b
}
