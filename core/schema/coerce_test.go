package schema

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

func TestCoerce(t *testing.T) {
	e := id.EntityID{ULID: id.Make(1<<40, [8]byte{1})}
	micros := func(s string) value.Value {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return value.Int(at.UnixMicro())
	}
	text, i, f, refused := value.String, value.Int, value.Float, value.Null
	for _, tc := range []struct {
		to   Type
		from value.Value
		want value.Value
	}{
		{TypeInt, f(3), i(3)},
		{TypeInt, f(-0x1p63), i(math.MinInt64)},
		{TypeInt, f(0x1p63), refused},
		{TypeInt, f(3.5), refused},
		{TypeInt, f(math.NaN()), refused},
		{TypeInt, f(math.Inf(1)), refused},
		{TypeInt, text(" -12 "), i(-12)},
		{TypeInt, text("9223372036854775807"), i(math.MaxInt64)},
		{TypeInt, text("9223372036854775808"), refused},
		{TypeInt, text("1.0"), refused},
		{TypeInt, text("0x10"), refused},
		{TypeInt, text("1_000"), refused},
		{TypeInt, text(""), refused},
		{TypeInt, value.Bool(true), refused},
		{TypeInt, mustJSON(t, 1), refused},

		{TypeFloat, i(3), f(3)},
		{TypeFloat, i(1 << 53), f(1 << 53)},
		{TypeFloat, i(1<<53 + 1), refused},
		{TypeFloat, i(math.MaxInt64), refused},
		{TypeFloat, i(math.MinInt64), f(-0x1p63)},
		{TypeFloat, text("1.5"), f(1.5)},
		{TypeFloat, text(" -1e3 "), f(-1000)},
		{TypeFloat, text("0.1"), f(0.1)},
		{TypeFloat, text("NaN"), f(math.NaN())},
		{TypeFloat, text("-Inf"), f(math.Inf(-1))},
		{TypeFloat, text("9007199254740993"), refused},
		{TypeFloat, text("1e400"), refused},
		{TypeFloat, text("0x1p4"), refused},
		{TypeFloat, text("one"), refused},
		{TypeFloat, value.Bool(true), refused},

		{TypeTime, text("2001-06-18T12:00:00Z"), micros("2001-06-18T12:00:00Z")},
		{TypeTime, text("2001-06-18T14:00:00.000001+02:00"), micros("2001-06-18T12:00:00.000001Z")},
		{TypeTime, text("2001-06-18T12:00:00"), micros("2001-06-18T12:00:00Z")},
		{TypeTime, text("2001-06-18 12:00:00"), micros("2001-06-18T12:00:00Z")},
		{TypeTime, text("2001-06-18"), micros("2001-06-18T00:00:00Z")},
		{TypeTime, text("2001-06-18T12:00:00.0000001Z"), refused},
		{TypeTime, text("2001-02-30"), refused},
		{TypeTime, text("18.6.2001"), refused},
		{TypeTime, f(1e6), i(1e6)},
		{TypeTime, f(0.5), refused},

		{TypeRef, text(e.String()), value.ID(e)},
		{TypeRef, text("not an id"), refused},
		{TypeRef, value.Bytes(e.Bytes()), refused},
		{TypeRef, i(1), refused},

		{TypeBool, text("true"), value.Bool(true)},
		{TypeBool, text("false"), value.Bool(false)},
		{TypeBool, text("TRUE"), refused},
		{TypeBool, i(1), refused},

		{TypeString, i(-3), text("-3")},
		{TypeString, f(1.5), text("1.5")},
		{TypeString, value.Bool(true), text("true")},
		{TypeString, value.ID(e), text(e.String())},
		{TypeString, value.Bytes([]byte("a")), refused},
		{TypeString, mustJSON(t, "a"), refused},

		{TypeJSON, value.Bool(true), mustJSON(t, true)},
		{TypeJSON, i(7), mustJSON(t, 7)},
		{TypeJSON, f(1.5), mustJSON(t, 1.5)},
		{TypeJSON, text("a"), mustJSON(t, "a")},
		{TypeJSON, text("\xff"), refused},
		{TypeJSON, f(math.NaN()), refused},
		{TypeJSON, value.ID(e), refused},
		{TypeJSON, value.Bytes(nil), refused},

		{TypeBytes, text("a"), refused},
		{TypeEnum, i(1), refused},
	} {
		p := Property{Name: "p", Type: tc.to, Enum: []string{"a"}}
		got, err := p.Coerce(tc.from)
		if tc.want.IsNull() {
			if !errors.Is(err, ErrValue) || !got.IsNull() {
				t.Errorf("%#v to %s: %#v, %v; want an ErrValue", tc.from, tc.to, got, err)
			}
			continue
		}
		if err != nil || got != tc.want {
			t.Errorf("%#v to %s: %#v, %v; want %#v", tc.from, tc.to, got, err, tc.want)
		}
	}
}

// What is of the right kind, and null, is left as it is.
func TestCoerceLeavesWhatFits(t *testing.T) {
	fits := map[Type]value.Value{
		TypeBool: value.Bool(false), TypeInt: value.Int(math.MinInt64), TypeFloat: value.Float(math.Copysign(0, -1)), TypeString: value.String("12"),
		TypeBytes: value.Bytes([]byte{1}), TypeTime: value.Int(-1), TypeRef: value.ID(id.EntityID{}), TypeEnum: value.String("none of them"), TypeJSON: mustJSON(t, "1"),
	}
	for typ, v := range fits {
		p := Property{Name: "p", Type: typ}
		for _, in := range []value.Value{v, value.Null} {
			if got, err := p.Coerce(in); err != nil || got != in {
				t.Errorf("%#v to %s: %#v, %v", in, typ, got, err)
			}
		}
	}
}

// No loss: what a number or a text was converted to converts back to it.
func TestCoerceLosesNothing(t *testing.T) {
	integers := Property{Name: "i", Type: TypeInt}
	floats := Property{Name: "f", Type: TypeFloat}
	texts := Property{Name: "s", Type: TypeString}
	numbers := []value.Value{value.Float(0x1p62), value.Float(1e300), value.Float(0.1), value.Float(-2.5)}
	for _, i := range []int64{0, 1, 1 << 52, 1 << 53, 1<<53 + 1, 1<<60 + 1, 1 << 60, math.MaxInt64, math.MinInt64} {
		numbers = append(numbers, value.Int(i), value.Int(-i))
	}
	for _, v := range numbers {
		own, other := &integers, &floats
		if v.Kind() == value.KindFloat {
			own, other = other, own
		}
		if converted, err := other.Coerce(v); err == nil {
			if back, err := own.Coerce(converted); err != nil || back != v || !value.Equal(converted, v) {
				t.Errorf("%#v becomes %#v, and that %#v, %v", v, converted, back, err)
			}
		}
		text, err := texts.Coerce(v)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := own.Coerce(text); err != nil || back != v {
			t.Errorf("%#v becomes %#v, and that %#v, %v", v, text, back, err)
		}
	}
}
