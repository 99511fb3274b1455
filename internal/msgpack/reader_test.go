package msgpack

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/quick"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read appends v, reads it with get, and reports whether that is v again and all there is.
func read[T comparable](v T, appendTo func([]byte, T) []byte, get func(*Reader) T) bool {
	r := NewReader(appendTo(nil, v))
	return get(&r) == v && r.Done() == nil
}

func TestWhatIsAppendedIsReadAgain(t *testing.T) {
	for name, law := range map[string]any{
		"int":    func(v int64) bool { return read(v, AppendInt, (*Reader).Int) },
		"uint":   func(v uint64) bool { return read(v, AppendUint, (*Reader).Uint) },
		"small":  func(v int16) bool { return read(int64(v), AppendInt, (*Reader).Int) },
		"bool":   func(v bool) bool { return read(v, AppendBool, (*Reader).Bool) },
		"float":  func(v float64) bool { return read(v, AppendFloat, (*Reader).Float) },
		"string": func(v string) bool { return read(v, AppendString, (*Reader).String) },
		"bytes": func(v []byte) bool {
			return read(string(v), AppendBytes[string], func(r *Reader) string { return string(r.Bytes()) })
		},
		"ext": func(typ int8, v []byte) bool {
			r := NewReader(AppendExt(nil, typ, v))
			gotType, got := r.Ext()
			return gotType == typ && bytes.Equal(got, v) && r.Done() == nil
		},
		"lengths": func(n uint16) bool {
			rest := make([]byte, 2*int(n))
			list := NewReader(append(AppendArrayLen(nil, int(n)), rest[:n]...))
			dict := NewReader(append(AppendMapLen(nil, int(n)), rest...))
			return list.ArrayLen(math.MaxUint16) == int(n) && list.Remaining() == int(n) &&
				dict.MapLen(math.MaxUint16) == int(n) && dict.Remaining() == 2*int(n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := quick.Check(law, nil); err != nil {
				t.Error(err)
			}
		})
	}
	r := NewReader(AppendFloat(nil, math.NaN()))
	if f := r.Float(); !math.IsNaN(f) || r.Done() != nil {
		t.Errorf("NaN is read as %v, %v", f, r.Err())
	}
}

func TestStringReaderReadsWithoutCopying(t *testing.T) {
	held := string(AppendInt(AppendString(nil, "Muse"), 1999))
	allocs := testing.AllocsPerRun(10, func() {
		r := NewStringReader(held)
		if string(r.StringBytes()) != "Muse" || r.Int() != 1999 || r.Done() != nil {
			t.Error(r.Err())
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	r := NewStringReader("")
	if r.Skip(); !errors.Is(r.Err(), ErrTruncated) {
		t.Errorf("of nothing: %v", r.Err())
	}
}

// Other writers may choose longer forms than necessary; they say the same.
func TestLongerFormsAreRead(t *testing.T) {
	for _, tc := range []struct {
		form string
		want int64
	}{
		{"cc05", 5}, {"cd0005", 5}, {"ce00000005", 5}, {"cf0000000000000005", 5},
		{"d005", 5}, {"d1ffff", -1}, {"d2ffffffff", -1}, {"d3ffffffffffffffff", -1},
	} {
		r := NewReader(unhex(t, tc.form))
		if got := r.Int(); got != tc.want || r.Done() != nil {
			t.Errorf("%s is %d, %v; want %d", tc.form, got, r.Err(), tc.want)
		}
	}
	for _, form := range []string{"d90161", "da000161", "db0000000161"} {
		r := NewReader(unhex(t, form))
		if got := r.String(); got != "a" || r.Done() != nil {
			t.Errorf("%s is %q, %v", form, got, r.Err())
		}
	}
	r := NewReader(unhex(t, "ca3fc00000"))
	if got := r.Float(); got != 1.5 || r.Done() != nil {
		t.Errorf("a 32-bit float is %v, %v", got, r.Err())
	}
	r = NewReader(AppendInt(nil, -3))
	if got := r.Float(); got != -3 || r.Done() != nil {
		t.Errorf("an integer as float is %v, %v", got, r.Err())
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	deep := func(n int) []byte { return append(bytes.Repeat([]byte{0x91}, n), 0xc0) }
	deepMap := func(n int) []byte { return append(bytes.Repeat([]byte{0x81, 0xc0}, n), 0xc0) }
	for _, tc := range []struct {
		name string
		in   []byte
		read func(*Reader)
		want error
	}{
		{"nothing", nil, (*Reader).Nil, ErrTruncated},
		{"nothing to skip", nil, (*Reader).Skip, ErrTruncated},
		{"nil for bool", AppendNil(nil), func(r *Reader) { r.Bool() }, ErrType},
		{"bool for nil", AppendBool(nil, true), (*Reader).Nil, ErrType},
		{"string for int", AppendString(nil, "1"), func(r *Reader) { r.Int() }, ErrType},
		{"float for int", AppendFloat(nil, 1), func(r *Reader) { r.Int() }, ErrType},
		{"negative for uint", AppendInt(nil, -1), func(r *Reader) { r.Uint() }, ErrType},
		{"2^63 for int", AppendUint(nil, 1<<63), func(r *Reader) { r.Int() }, ErrType},
		{"nil for float", AppendNil(nil), func(r *Reader) { r.Float() }, ErrType},
		{"bytes for string", AppendBytes(nil, "a"), func(r *Reader) { _ = r.String() }, ErrType},
		{"string for bytes", AppendString(nil, "a"), func(r *Reader) { r.Bytes() }, ErrType},
		{"text that is not UTF-8", []byte{0xa1, 0xff}, func(r *Reader) { _ = r.String() }, ErrType},
		{"skipped text that is not UTF-8", []byte{0xa1, 0xff}, (*Reader).Skip, ErrType},
		{"map for array", AppendMapLen(nil, 0), func(r *Reader) { r.ArrayLen(9) }, ErrType},
		{"array for map", AppendArrayLen(nil, 0), func(r *Reader) { r.MapLen(9) }, ErrType},
		{"array of another length", AppendArrayLen(nil, 0), func(r *Reader) { r.Array(1) }, ErrType},
		{"bytes for ext", AppendBytes(nil, "a"), func(r *Reader) { r.Ext() }, ErrType},
		{"the byte that is never used", []byte{0xc1}, (*Reader).Skip, ErrType},
		{"array beyond the limit", append(AppendArrayLen(nil, 3), 1, 2, 3), func(r *Reader) { r.ArrayLen(2) }, ErrTooLong},
		{"map beyond the limit", append(AppendMapLen(nil, 1), 1, 2), func(r *Reader) { r.MapLen(0) }, ErrTooLong},
		{"array beyond the input", AppendArrayLen(nil, 3), func(r *Reader) { r.ArrayLen(9) }, ErrTruncated},
		{"map beyond the input", append(AppendMapLen(nil, 2), 1, 2, 3), func(r *Reader) { r.MapLen(9) }, ErrTruncated},
		{"huge array", []byte{0xdd, 255, 255, 255, 255}, func(r *Reader) { r.ArrayLen(math.MaxInt64) }, ErrTruncated},
		{"huge map", []byte{0xdf, 255, 255, 255, 255}, func(r *Reader) { r.MapLen(math.MaxInt64) }, ErrTruncated},
		{"huge string", []byte{0xdb, 255, 255, 255, 255}, func(r *Reader) { _ = r.String() }, ErrTruncated},
		{"huge bytes", []byte{0xc6, 255, 255, 255, 255}, func(r *Reader) { r.Bytes() }, ErrTruncated},
		{"huge ext", []byte{0xc9, 255, 255, 255, 255, 1}, func(r *Reader) { r.Ext() }, ErrTruncated},
		{"arrays too deep", deep(MaxDepth + 1), (*Reader).Skip, ErrTooDeep},
		{"maps too deep", deepMap(MaxDepth + 1), (*Reader).Skip, ErrTooDeep},
		{"something left", []byte{0xc0, 0xc0}, (*Reader).Nil, ErrTrailing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewReader(tc.in)
			tc.read(&r)
			if err := r.Done(); !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
			if !strings.Contains(r.Err().Error(), "at byte") {
				t.Errorf("%v does not say where", r.Err())
			}
		})
	}
	for _, whole := range [][]byte{deep(MaxDepth), deepMap(MaxDepth)} {
		r := NewReader(whole)
		if r.Skip(); r.Done() != nil {
			t.Errorf("%d levels: %v", MaxDepth, r.Err())
		}
	}
}

// No part of an item is an item, and after an error everything reads as zero.
func TestErrorsStick(t *testing.T) {
	for _, tc := range forms {
		for n := 0; n < len(tc.item); n += 1 + n/16 {
			r := NewReader(tc.item[:n])
			r.Skip()
			if tc.whole == TypeArray || tc.whole == TypeMap {
				continue // a header alone
			}
			if !errors.Is(r.Err(), ErrTruncated) {
				t.Fatalf("%d bytes of %s: %v", n, tc.name, r.Err())
			}
			first := r.Err()
			typ, data := r.Ext()
			zero := !r.Bool() && r.Int() == 0 && r.Uint() == 0 && r.Float() == 0 && r.String() == "" && r.Bytes() == nil &&
				r.ArrayLen(9) == 0 && r.MapLen(9) == 0 && typ == 0 && data == nil && r.Raw() == nil && r.Next() == TypeInvalid && !r.TryNil() && !r.More()
			if !zero || !errors.Is(r.Done(), first) {
				t.Fatalf("after %v something is read, or %v is reported", first, r.Err())
			}
			if r.Fail(errors.New("later")); !errors.Is(r.Err(), first) {
				t.Fatalf("a later error hides %v", first)
			}
		}
	}
}

// A length is believed only as far as the input reaches, so what a hostile header makes
// the reader allocate is its error.
func TestHostileLengthsDoNotAllocate(t *testing.T) {
	for _, in := range [][]byte{
		{0xdd, 255, 255, 255, 255}, {0xdf, 255, 255, 255, 255}, {0xdb, 255, 255, 255, 255}, {0xc6, 255, 255, 255, 255},
		{0xc9, 255, 255, 255, 255, 0}, bytes.Repeat([]byte{0xdd, 0, 0, 0, 1}, 100),
	} {
		allocs := testing.AllocsPerRun(10, func() {
			r := NewReader(in)
			r.Skip()
		})
		if allocs > 10 {
			t.Errorf("%.12x makes %v allocations", in, allocs)
		}
	}
}

// walk reads one item, whatever it is, and appends it in its shortest form. held counts
// the bytes of what was handed out.
func walk(r *Reader, dst []byte, held *int, depth int) []byte {
	if depth > MaxDepth {
		r.Fail(ErrTooDeep)
		return dst
	}
	switch r.Next() {
	case TypeNil:
		r.Nil()
		return AppendNil(dst)
	case TypeBool:
		return AppendBool(dst, r.Bool())
	case TypeInt:
		if probe := *r; probe.Int() < 0 {
			return AppendInt(dst, r.Int())
		}
		return AppendUint(dst, r.Uint())
	case TypeFloat:
		return AppendFloat(dst, r.Float())
	case TypeString:
		s := r.String()
		*held += len(s)
		return AppendString(dst, s)
	case TypeBytes:
		b := r.Bytes()
		*held += len(b)
		return AppendBytes(dst, b)
	case TypeExt:
		typ, b := r.Ext()
		*held += len(b)
		return AppendExt(dst, typ, b)
	case TypeArray:
		n := r.ArrayLen(math.MaxInt32)
		*held += n
		dst = AppendArrayLen(dst, n)
		for ; n > 0 && r.Err() == nil; n-- {
			dst = walk(r, dst, held, depth+1)
		}
		return dst
	case TypeMap:
		n := r.MapLen(math.MaxInt32)
		*held += n
		dst = AppendMapLen(dst, n)
		for n *= 2; n > 0 && r.Err() == nil; n-- {
			dst = walk(r, dst, held, depth+1)
		}
		return dst
	}
	r.Skip() // fails
	return dst
}

// Whatever the input, the reader does not panic, goes forward, hands out no more than
// the input holds, skips what it reads, and agrees with itself about the shortest form.
func FuzzReader(f *testing.F) {
	for _, tc := range forms {
		if len(tc.item) < 300 {
			f.Add(tc.item)
		}
	}
	for _, item := range spanSeeds() {
		if len(item) < 300 {
			f.Add(item)
		}
	}
	f.Add(bytes.Repeat([]byte{0x91}, 100))
	f.Fuzz(func(t *testing.T, in []byte) {
		reader, skipper := NewReader(in), NewReader(in)
		for reader.More() {
			before, held := reader.Remaining(), 0
			item := walk(&reader, nil, &held, 0)
			raw := skipper.Raw()
			if (reader.Err() == nil) != (skipper.Err() == nil) {
				t.Fatalf("read: %v, skipped: %v", reader.Err(), skipper.Err())
			}
			// An item in an array is counted once by each array around it.
			if held > before*(MaxDepth+2) {
				t.Fatalf("%d bytes held %d", before, held)
			}
			if reader.Err() != nil {
				return
			}
			if reader.Remaining() >= before || reader.Remaining() != skipper.Remaining() || len(raw) != before-reader.Remaining() {
				t.Fatalf("of %d bytes %d are left when read, %d when skipped", before, reader.Remaining(), skipper.Remaining())
			}
			again, n := NewReader(item), 0
			if second := walk(&again, nil, &n, 0); again.Done() != nil || !bytes.Equal(second, item) {
				t.Fatalf("%x is written as %x, and that as %x (%v)", raw, item, second, again.Err())
			}
		}
	})
}
