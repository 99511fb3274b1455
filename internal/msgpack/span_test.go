package msgpack

import (
	"bytes"
	"testing"
)

// spanSeeds are items of every form.
func spanSeeds() [][]byte {
	var nested []byte
	nested = AppendArrayLen(nested, 3)
	nested = AppendMapLen(nested, 1)
	nested = AppendString(nested, "key")
	nested = AppendFloat(nested, 1.5)
	nested = AppendNil(nested)
	nested = AppendBool(nested, true)
	seeds := [][]byte{nested, AppendArrayLen(nil, 0), AppendMapLen(nil, 0)}
	for _, n := range []int64{0, 127, 128, 255, 256, 65535, 65536, 1 << 31, 1 << 32, -1, -32, -33, -128, -129, -32769, -1 << 31, -1 << 40} {
		seeds = append(seeds, AppendInt(nil, n))
	}
	for _, n := range []int{0, 1, 2, 3, 4, 8, 15, 16, 17, 31, 32, 255, 256, 65535, 65536} {
		text := string(bytes.Repeat([]byte("x"), n))
		seeds = append(seeds, AppendString(nil, text), AppendBytes(nil, text), AppendExt(nil, 1, text))
		list, dict := AppendArrayLen(nil, n), AppendMapLen(nil, n)
		for range n {
			list, dict = AppendNil(list), AppendBool(AppendNil(dict), false)
		}
		seeds = append(seeds, list, dict)
	}
	return seeds
}

// A span is what a Reader skips, whatever follows, and no part of an item is an item.
func TestSpanIsWhatAReaderSkips(t *testing.T) {
	for _, item := range spanSeeds() {
		if got := Span(append(item[:len(item):len(item)], 0xc1, 0)); got != len(item) {
			t.Errorf("item %.20x… of %d bytes has span %d", item, len(item), got)
		}
		r := NewReader(append(item[:len(item):len(item)], 0xc0))
		if r.SkipKnown(); r.Remaining() != 1 || r.Err() != nil {
			t.Errorf("behind item %.20x… %d bytes are left, want 1 (%v)", item, r.Remaining(), r.Err())
		}
		r = NewReader(item[:len(item)-1])
		if r.SkipKnown(); r.Err() == nil {
			t.Errorf("all but the last byte of %.20x… is skipped", item)
		}
		for n := 0; n < len(item); n += 1 + n/16 {
			if got := Span(item[:n]); got != 0 {
				t.Errorf("the first %d bytes of %.20x… have span %d", n, item, got)
			}
		}
	}
}

func FuzzSpan(f *testing.F) {
	for _, item := range spanSeeds() {
		if len(item) < 300 {
			f.Add(item)
		}
	}
	f.Add([]byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Add(bytes.Repeat([]byte{0x91}, 1000))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := Span(b)
		if got < 0 || got > len(b) {
			t.Fatalf("%x has span %d", b, got)
		}
		r := NewReader(b)
		if item := r.Raw(); r.Err() == nil && got != len(item) {
			t.Fatalf("%x has span %d, and a reader skips %d", b, got, len(item))
		}
	})
}
