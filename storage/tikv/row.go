package tikv

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// The rows under a prefix, by the byte after it; doc.go has the layout.
const (
	rowData   = "d"
	rowGuard  = "g"
	rowLease  = "l"
	rowLayout = "v"

	rowBroadcast = "b"
)

// ownKey returns the key of a row, in the cluster.
func (s *store) ownKey(parts ...string) []byte {
	key := append([]byte(s.place.prefix), '/')
	for _, part := range parts {
		key = append(key, part...)
	}
	return key
}

// maxKey is how many bytes of a key of the kv.Store are in the row's key at most. TiKV takes
// 4 KiB or more, as it counts them. What is longer goes on with a hash, so that rows are apart,
// and the whole key is in the row's value.
const maxKey = 3000

// dataKey returns where a key of the kv.Store lies in the cluster.
func (s *store) dataKey(key []byte) []byte {
	if len(key) <= maxKey {
		return s.dataPrefix(key)
	}
	hash := sha256.Sum256(key)
	return append(s.dataPrefix(key[:maxKey]), hash[:]...)
}

func (s *store) dataPrefix(key []byte) []byte {
	prefix := s.place.prefix
	return append(append(append(make([]byte, 0, len(prefix)+2+len(key)+sha256.Size), prefix...), '/', rowData[0]), key...)
}

// dataRange returns the rows in the cluster among which those of r are: where a bound is
// longer than a row's key, there may be others that begin like it.
func (s *store) dataRange(r kv.Range) kv.Range {
	out := kv.Range{Start: s.dataPrefix(r.Start[:min(len(r.Start), maxKey)]), Reverse: r.Reverse}
	switch {
	case r.End == nil:
		out.End = s.ownKey(string(rowData[0] + 1))
	case len(r.End) <= maxKey:
		out.End = s.dataPrefix(r.End)
	default:
		out.End = s.dataPrefix(r.End[:maxKey])
		for range sha256.Size + 1 {
			out.End = append(out.End, 0xff)
		}
	}
	return out
}

// The forms of a stored value, in its first byte. TiKV has no empty values.
const (
	formPlain = 1 // the value
	formLong  = 2 // the length of the key, four bytes, the key, and the value
)

func wrap(value []byte) []byte {
	return append(append(make([]byte, 0, 1+len(value)), formPlain), value...)
}

// wrapData returns what is stored as the value under a key of the kv.Store.
func wrapData(key, value []byte) []byte {
	if len(key) <= maxKey {
		return wrap(value)
	}
	out := append(make([]byte, 0, 1+4+len(key)+len(value)), formLong)
	return append(append(binary.BigEndian.AppendUint32(out, uint32(len(key))), key...), value...)
}

// unwrap returns a value, and the whole key if it is too long for the row's; else nil.
func unwrap(stored []byte) (value, long []byte, err error) {
	end := len(stored)
	switch {
	case end > 0 && stored[0] == formPlain:
		return stored[1:end:end], nil, nil
	case end >= 5 && stored[0] == formLong:
		if n := 5 + int(binary.BigEndian.Uint32(stored[1:])); n <= end {
			return stored[n:end:end], stored[5:n:n], nil
		}
	}
	return nil, nil, fmt.Errorf("%w: a value in an unknown form: % x", storage.ErrCorrupt, stored[:min(end, 8)])
}
