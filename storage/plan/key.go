package plan

import (
	"bytes"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// Keys of values of a fixed size have that size; the others end with endOfText.
var (
	fixedSizes = map[byte]int{}
	endOfText  = []byte{0, 1}
)

func init() {
	for _, v := range []value.Value{value.Bool(false), value.Int(0), value.ID(id.EntityID{})} {
		key := value.AppendKey(nil, v, value.Ascending)
		fixedSizes[key[0]] = len(key)
	}
}

// keyLength returns how many bytes of b, which begins with a key made with o, that key
// takes; ok is false if b begins with none.
func keyLength(b []byte, o value.KeyOrder) (n int, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	if b[0] == nullFirst[0] || b[0] == nullKey[0] {
		return 1, true
	}
	var flip byte
	if o.Desc {
		flip = 0xff
	}
	if size, fixed := fixedSizes[b[0]^flip]; fixed {
		return size, len(b) >= size
	}
	for i := 1; i+1 < len(b); i++ {
		if b[i]^flip != endOfText[0] {
			continue
		}
		if i++; b[i]^flip == endOfText[1] {
			return i + 1, true
		}
	}
	return 0, false
}

// textPrefix returns what the ascending keys of texts with the given beginning begin with.
func textPrefix(prefix string) []byte {
	return bytes.TrimSuffix(value.AppendKey(nil, value.String(prefix), value.Ascending), endOfText)
}

// reorder translates a key made with one order into the key of the same value made with
// another.
func reorder(key []byte, from, to value.KeyOrder) []byte {
	if len(key) == 1 { // of NULL
		return value.AppendKey(nil, value.Null, to)
	}
	if from.Desc != to.Desc {
		return complement(key)
	}
	return key
}
