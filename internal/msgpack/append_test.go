package msgpack

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"
)

// forms are items with the bytes that the specification gives for their shortest form.
var forms = []struct {
	name  string
	item  []byte
	want  string // in hex; for a long item, how it begins
	whole Type
}{
	{"nil", AppendNil(nil), "c0", TypeNil},
	{"false", AppendBool(nil, false), "c2", TypeBool},
	{"true", AppendBool(nil, true), "c3", TypeBool},
	{"0", AppendInt(nil, 0), "00", TypeInt},
	{"127", AppendInt(nil, 127), "7f", TypeInt},
	{"128", AppendInt(nil, 128), "cc80", TypeInt},
	{"255", AppendInt(nil, 255), "ccff", TypeInt},
	{"256", AppendInt(nil, 256), "cd0100", TypeInt},
	{"65535", AppendInt(nil, 65535), "cdffff", TypeInt},
	{"65536", AppendInt(nil, 65536), "ce00010000", TypeInt},
	{"2^32-1", AppendInt(nil, math.MaxUint32), "ceffffffff", TypeInt},
	{"2^32", AppendInt(nil, 1<<32), "cf0000000100000000", TypeInt},
	{"2^63-1", AppendInt(nil, math.MaxInt64), "cf7fffffffffffffff", TypeInt},
	{"2^64-1", AppendUint(nil, math.MaxUint64), "cfffffffffffffffff", TypeInt},
	{"-1", AppendInt(nil, -1), "ff", TypeInt},
	{"-32", AppendInt(nil, -32), "e0", TypeInt},
	{"-33", AppendInt(nil, -33), "d0df", TypeInt},
	{"-128", AppendInt(nil, -128), "d080", TypeInt},
	{"-129", AppendInt(nil, -129), "d1ff7f", TypeInt},
	{"-2^15", AppendInt(nil, math.MinInt16), "d18000", TypeInt},
	{"-2^15-1", AppendInt(nil, math.MinInt16-1), "d2ffff7fff", TypeInt},
	{"-2^31", AppendInt(nil, math.MinInt32), "d280000000", TypeInt},
	{"-2^31-1", AppendInt(nil, math.MinInt32-1), "d3ffffffff7fffffff", TypeInt},
	{"-2^63", AppendInt(nil, math.MinInt64), "d38000000000000000", TypeInt},
	{"1.5", AppendFloat(nil, 1.5), "cb3ff8000000000000", TypeFloat},
	{"-0.0", AppendFloat(nil, math.Copysign(0, -1)), "cb8000000000000000", TypeFloat},
	{"empty string", AppendString(nil, ""), "a0", TypeString},
	{"short string", AppendString(nil, "é"), "a2c3a9", TypeString},
	{"string of 31", AppendString(nil, strings.Repeat("a", 31)), "bf61", TypeString},
	{"string of 32", AppendString(nil, strings.Repeat("a", 32)), "d92061", TypeString},
	{"string of 256", AppendString(nil, strings.Repeat("a", 256)), "da010061", TypeString},
	{"string of 65536", AppendString(nil, strings.Repeat("a", 65536)), "db0001000061", TypeString},
	{"empty bytes", AppendBytes(nil, ""), "c400", TypeBytes},
	{"bytes of 255", AppendBytes(nil, make([]byte, 255)), "c4ff00", TypeBytes},
	{"bytes of 256", AppendBytes(nil, make([]byte, 256)), "c5010000", TypeBytes},
	{"bytes of 65536", AppendBytes(nil, make([]byte, 65536)), "c60001000000", TypeBytes},
	{"empty array", AppendArrayLen(nil, 0), "90", TypeArray},
	{"array of 15", AppendArrayLen(nil, 15), "9f", TypeArray},
	{"array of 16", AppendArrayLen(nil, 16), "dc0010", TypeArray},
	{"array of 65536", AppendArrayLen(nil, 65536), "dd00010000", TypeArray},
	{"empty map", AppendMapLen(nil, 0), "80", TypeMap},
	{"map of 15", AppendMapLen(nil, 15), "8f", TypeMap},
	{"map of 16", AppendMapLen(nil, 16), "de0010", TypeMap},
	{"map of 65536", AppendMapLen(nil, 65536), "df00010000", TypeMap},
	{"ext of 0", AppendExt(nil, 7, ""), "c70007", TypeExt},
	{"ext of 1", AppendExt(nil, 7, "a"), "d40761", TypeExt},
	{"ext of 2", AppendExt(nil, 7, "ab"), "d5076162", TypeExt},
	{"ext of 3", AppendExt(nil, 7, "abc"), "c70307616263", TypeExt},
	{"ext of 4", AppendExt(nil, -1, "abcd"), "d6ff61626364", TypeExt},
	{"ext of 8", AppendExt(nil, 7, "abcdefgh"), "d7076162636465666768", TypeExt},
	{"ext of 16", AppendExt(nil, 7, strings.Repeat("a", 16)), "d80761", TypeExt},
	{"ext of 17", AppendExt(nil, 7, strings.Repeat("a", 17)), "c7110761", TypeExt},
	{"ext of 256", AppendExt(nil, 7, strings.Repeat("a", 256)), "c801000761", TypeExt},
	{"ext of 65536", AppendExt(nil, 7, strings.Repeat("a", 65536)), "c9000100000761", TypeExt},
}

func TestAppendPicksTheShortestForm(t *testing.T) {
	for _, tc := range forms {
		if got := hex.EncodeToString(tc.item); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s is %.40s, want %s", tc.name, got, tc.want)
		}
		r := NewReader(tc.item)
		if got := r.Next(); got != tc.whole {
			t.Errorf("%s is of type %d, want %d", tc.name, got, tc.whole)
		}
	}
}

func TestAppendKeepsWhatWasThere(t *testing.T) {
	before := []byte("before")
	for _, b := range [][]byte{
		AppendNil(before), AppendBool(before, true), AppendInt(before, -7), AppendUint(before, 1<<40), AppendFloat(before, 1),
		AppendString(before, "x"), AppendBytes(before, "x"), AppendArrayLen(before, 3), AppendMapLen(before, 3), AppendExt(before, 1, "x"),
	} {
		if !bytes.HasPrefix(b, before) || len(b) == len(before) {
			t.Errorf("%q does not append to %q", b, before)
		}
	}
}
