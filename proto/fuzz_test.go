package proto

import (
	"bytes"
	"testing"
)

// fuzz checks a decoder: whatever the bytes are it does not panic, and what it returns is
// encoded, decoded and encoded again as the same bytes. Where strict is set, those are the
// bytes that it was given; elsewhere another writer may have chosen longer forms.
func fuzz[T any](f *testing.F, decode func([]byte) (T, error), encode func([]byte, T) []byte, strict bool) {
	for _, g := range goldens(f) {
		f.Add(g.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		v, err := decode(b)
		if !bytes.Equal(b, given) {
			t.Fatal("the input is changed")
		}
		if err != nil {
			return
		}
		encoded := encode(nil, v)
		if strict && !bytes.Equal(encoded, b) {
			t.Fatalf("%x is encoded as %x", b, encoded)
		}
		again, err := decode(encoded)
		if err != nil {
			t.Fatalf("%x is encoded as %x, and that is refused: %v", b, encoded, err)
		}
		if second := encode(nil, again); !bytes.Equal(second, encoded) {
			t.Fatalf("%x is encoded as %x, and then as %x", b, encoded, second)
		}
	})
}

func FuzzDecodeFrame(f *testing.F) { fuzz(f, DecodeFrame, AppendFrame, false) }

func FuzzDecodeEvent(f *testing.F) { fuzz(f, DecodeEvent, AppendEvent, true) }

func FuzzDecodeRecord(f *testing.F) { fuzz(f, DecodeRecord, AppendRecord, false) }

func FuzzDecodeFeedEntry(f *testing.F) { fuzz(f, DecodeFeedEntry, AppendFeedEntry, false) }
