package value

import (
	"bytes"
	"testing"

	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Whatever the bytes are, reading them does not panic, and what was read is written and
// read as the same value again.
func FuzzRead(f *testing.F) {
	for _, v := range extremes() {
		if b := Append(nil, v); len(b) < 200 {
			f.Add(b)
		}
	}
	f.Add(msgpack.AppendExt(nil, extJSON, []byte{0x82, 0xa1, 'b', 1, 0xa1, 'a', 1}))
	f.Add(msgpack.AppendExt(nil, extJSON, bytes.Repeat([]byte{0x91}, MaxJSONDepth+1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := msgpack.NewReader(b)
		v := Read(&r)
		if r.Err() != nil {
			return
		}
		item := Append(nil, v)
		again := msgpack.NewReader(item)
		if w := Read(&again); again.Done() != nil || w != v {
			t.Fatalf("%x is %#v, and that is read as %#v (%v)", b, v, w, again.Err())
		}
		_, _ = v.String(), v.Tree()
		if text, ok := v.JSONText(); ok != (v.Kind() == KindJSON) || ok && text == "" {
			t.Fatalf("%#v has the text %q, %v", v, text, ok)
		}
	})
}

// Keys of any two values compare as the values do, and end where KeyLen says.
func FuzzAppendKey(f *testing.F) {
	values := extremes()
	for i, v := range values {
		a, b := Append(nil, v), Append(nil, values[(i*7+3)%len(values)])
		if len(a)+len(b) < 200 {
			f.Add(a, b, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, x, y []byte, order uint8) {
		rx, ry := msgpack.NewReader(x), msgpack.NewReader(y)
		a, b := Read(&rx), Read(&ry)
		if rx.Err() != nil || ry.Err() != nil {
			return
		}
		if got, want := Compare(a, b), oracle(a, b); got != want {
			t.Fatalf("%#v against %#v is %d, want %d", a, b, got, want)
		}
		o := orders[int(order)%len(orders)]
		_, _, _ = ReadKey(x, o)
		ka, kb := AppendKey(nil, a, o), AppendKey(nil, b, o)
		if back, n, ok := ReadKey(ka, o); !ok || n != len(ka) || Compare(back, a) != 0 {
			t.Fatalf("%+v: the key of %#v is read as %#v of %d bytes, %v", o, a, back, n, ok)
		}
		if got, want := bytes.Compare(ka, kb), inOrder(a, b, o); got != want {
			t.Fatalf("%+v: the keys of %#v and %#v compare as %d, want %d", o, a, b, got, want)
		}
		if n, ok := KeyLen(append(ka, kb...), o); !ok || n != len(ka) {
			t.Fatalf("%+v: the key %x of %#v before %x has length %d, %v", o, ka, a, kb, n, ok)
		}
	})
}
