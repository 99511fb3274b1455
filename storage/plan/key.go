package plan

import "github.com/ankurah-go/ankurah/core/value"

// textPrefix returns what the ascending keys of texts with the given beginning begin with.
func textPrefix(prefix string) []byte { return value.AppendTextPrefix(nil, prefix) }

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
