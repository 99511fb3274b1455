package value

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

func TestValuesAreWrittenAndReadAgain(t *testing.T) {
	for _, v := range sample() {
		b := Append([]byte{0xc0}, v)
		r := msgpack.NewReader(b[1:])
		if got := Read(&r); got != v || r.Done() != nil {
			t.Errorf("%#v is read as %#v, %v", v, got, r.Err())
		}
	}
}

func TestForms(t *testing.T) {
	e := id.EntityID{ULID: id.Make(1, [8]byte{2})}
	for _, tc := range []struct {
		v    Value
		want []byte
	}{
		{Null, []byte{0xc0}},
		{Bool(true), []byte{0xc3}},
		{Int(-1), []byte{0xff}},
		{Float(1), []byte{0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0}},
		{String("a"), []byte{0xa1, 'a'}},
		{Bytes([]byte{1}), []byte{0xc4, 1, 1}},
		{ID(e), append([]byte{0xd8, 1}, e.Bytes()...)},
		{mustJSON(true), []byte{0xd4, 2, 0xc3}},
		{mustJSON([]any{1, "a"}), []byte{0xd6, 2, 0x92, 1, 0xa1, 'a'}},
	} {
		if got := Append(nil, tc.v); !bytes.Equal(got, tc.want) {
			t.Errorf("%#v is %x, want %x", tc.v, got, tc.want)
		}
	}
}

func TestWhatIsNoValueIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":              nil,
		"array":                msgpack.AppendArrayLen(nil, 0),
		"map":                  msgpack.AppendMapLen(nil, 0),
		"integer of 2^63":      msgpack.AppendUint(nil, 1<<63),
		"text not UTF-8":       {0xa1, 0xff},
		"id of 15 bytes":       msgpack.AppendExt(nil, extID, make([]byte, 15)),
		"id of 17 bytes":       msgpack.AppendExt(nil, extID, make([]byte, 17)),
		"unknown extension":    msgpack.AppendExt(nil, 3, make([]byte, 16)),
		"JSON that is none":    msgpack.AppendExt(nil, extJSON, []byte{0xc1}),
		"JSON with bytes in":   msgpack.AppendExt(nil, extJSON, msgpack.AppendBytes(nil, "a")),
		"JSON and more":        msgpack.AppendExt(nil, extJSON, []byte{1, 1}),
		"nothing where JSON":   msgpack.AppendExt(nil, extJSON, ""),
		"the byte never used":  {0xc1},
		"extension cut off":    {0xd8, 1, 0},
		"huge extension":       {0xc9, 255, 255, 255, 255, 2},
		"string longer than b": {0xdb, 255, 255, 255, 255},
	} {
		r := msgpack.NewReader(b)
		if v := Read(&r); r.Err() == nil {
			t.Errorf("%s is read as %#v", name, v)
		}
	}
	r := msgpack.NewReader(msgpack.AppendExt(nil, extJSON, []byte{0xc1}))
	if Read(&r); !errors.Is(r.Err(), ErrJSON) {
		t.Errorf("the error for bad JSON is %v", r.Err())
	}
}

// Each getter answers for its kind only; a float answers for an integer too.
func TestGettersAnswerForTheirKind(t *testing.T) {
	e := id.EntityID{ULID: id.Make(5, [8]byte{6})}
	values := map[Kind]Value{
		KindNull: Null, KindBool: Bool(true), KindInt: Int(-3), KindFloat: Float(2.5), KindString: String("s"),
		KindBytes: Bytes([]byte{1, 2}), KindID: ID(e), KindJSON: meta,
	}
	for kind, v := range values {
		if v.Kind() != kind || v.IsNull() != (kind == KindNull) {
			t.Errorf("%#v has kind %s", v, v.Kind())
		}
		if b, ok := v.AsBool(); ok != (kind == KindBool) || ok != b {
			t.Errorf("%#v as bool: %v, %v", v, b, ok)
		}
		if i, ok := v.AsInt(); ok != (kind == KindInt) || ok && i != -3 || !ok && i != 0 {
			t.Errorf("%#v as int: %v, %v", v, i, ok)
		}
		if f, ok := v.AsFloat(); ok != (kind == KindInt || kind == KindFloat) || kind == KindInt && f != -3 || kind == KindFloat && f != 2.5 {
			t.Errorf("%#v as float: %v, %v", v, f, ok)
		}
		if s, ok := v.AsString(); ok != (kind == KindString) || ok != (s == "s") {
			t.Errorf("%#v as string: %q, %v", v, s, ok)
		}
		if b, ok := v.AsBytes(); ok != (kind == KindBytes) || ok != bytes.Equal(b, []byte{1, 2}) {
			t.Errorf("%#v as bytes: %x, %v", v, b, ok)
		}
		if got, ok := v.AsID(); ok != (kind == KindID) || ok != (got == e) {
			t.Errorf("%#v as id: %v, %v", v, got, ok)
		}
		if v.Size() <= 0 {
			t.Errorf("%#v takes %d bytes", v, v.Size())
		}
	}
}

// Values do not change with the bytes that they were made of or gave out.
func TestBytesAreCopied(t *testing.T) {
	b := []byte{1, 2}
	v := Bytes(b)
	b[0] = 9
	out, _ := v.AsBytes()
	out[1] = 9
	if got, _ := v.AsBytes(); !bytes.Equal(got, []byte{1, 2}) {
		t.Errorf("the value became %x", got)
	}
	in := Append(nil, v)
	r := msgpack.NewReader(in)
	read := Read(&r)
	clear(in)
	if read != v {
		t.Errorf("the value became %#v with the buffer that it was read from", read)
	}
}

func TestSameValuesAreIdentical(t *testing.T) {
	for _, pair := range [][2]Value{
		{Int(1), Float(1)}, {Float(0), Float(math.Copysign(0, -1))}, {String("a"), mustJSON("a")}, {Null, mustJSON(nil)},
	} {
		if pair[0] == pair[1] || !Equal(pair[0], pair[1]) {
			t.Errorf("%#v and %#v: identical %v, equal %v", pair[0], pair[1], pair[0] == pair[1], Equal(pair[0], pair[1]))
		}
	}
	if nan := Float(math.NaN()); nan != Float(math.NaN()) {
		t.Error("NaN is not identical to itself")
	}
}

func TestText(t *testing.T) {
	e := id.EntityID{ULID: id.Make(5, [8]byte{6})}
	for want, v := range map[string]Value{
		"NULL": Null, "true": Bool(true), "-3": Int(-3), "2.5": Float(2.5), "NaN": Float(math.NaN()), `"a\nb"`: String("a\nb"),
		"bytes(01ff)": Bytes([]byte{1, 255}), e.String(): ID(e), `json({"a":[1,null]})`: mustJSON(map[string]any{"a": []any{1, nil}}),
	} {
		if v.String() != want || v.GoString() != want {
			t.Errorf("%q, want %q", v.String(), want)
		}
	}
	if got := Kind(200).String(); !strings.Contains(got, "200") {
		t.Errorf("an unknown kind is called %q", got)
	}
}
