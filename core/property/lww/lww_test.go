package lww_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property"
	"github.com/ankurah-go/ankurah/core/property/lww"
	"github.com/ankurah-go/ankurah/core/property/propertytest"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

func every(t testing.TB) []value.Value {
	doc, err := value.JSON(map[string]any{"genre": "rock", "tags": []any{1, nil}})
	if err != nil {
		t.Fatal(err)
	}
	return []value.Value{
		value.Null, value.Bool(false), value.Bool(true), value.Int(0), value.Int(math.MinInt16), value.Int(math.MaxInt32), value.Int(math.MinInt64),
		value.Float(0), value.Float(math.Copysign(0, -1)), value.Float(math.NaN()), value.Float(math.Inf(1)), value.Float(math.Inf(-1)),
		value.String(""), value.String("a\x00b"), value.Bytes(nil), value.Bytes([]byte{0, 255}), value.ID(id.EntityID{ULID: id.Make(1, [8]byte{1})}), doc,
	}
}

func suite(t testing.TB) propertytest.Suite {
	values := every(t)
	return propertytest.Suite{
		Kind:  lww.Register{},
		Value: func(rng *rand.Rand) value.Value { return values[rng.IntN(len(values))] },
	}
}

func TestLaws(t *testing.T) { propertytest.Run(t, suite(t)) }

func FuzzRegister(f *testing.F) { propertytest.Fuzz(f, suite(f)) }

// Scenarios 64 and 67: every kind of value is kept as it is, NaN and -0 too. Scenario 61:
// so is the writer.
func TestValuesAndWritersAreKept(t *testing.T) {
	event := id.EventID{ULID: id.Make(7, [8]byte{7})}
	for _, v := range every(t) {
		op := lww.Register{}.Set("p", proto.PropertyState{}, v)
		state, err := lww.Register{}.Apply(proto.PropertyState{Name: "p"}, op, event)
		if err != nil {
			t.Fatal(err)
		}
		r := msgpack.NewReader(proto.AppendState(nil, &proto.State{Properties: []proto.PropertyState{state}}))
		read := proto.ReadState(&r)
		if err := r.Done(); err != nil {
			t.Fatal(err)
		}
		got := read.Properties[0]
		if writer, ok, err := lww.Writer(got); got.Value != v || !ok || err != nil || writer != event {
			t.Errorf("%#v is kept as %#v, written by %v, %v, %v", v, got.Value, writer, ok, err)
		}
	}
}

// Of concurrent writes the one with the greatest id stays, a null as well (scenarios 49,
// 50, 55), whatever their values.
func TestTheGreatestIDWins(t *testing.T) {
	at := func(stamp id.Stamp, tail byte) id.EventID { return id.EventID{ULID: id.Make(stamp, [8]byte{tail})} }
	ascending := []id.EventID{at(1, 9), at(2, 0), at(2, 1), at(1<<16, 0)}
	values := []value.Value{value.String("z"), value.Int(9), value.Null, value.Bool(false)}
	for i, e := range ascending {
		for j, f := range ascending {
			state := proto.PropertyState{Name: "p"}
			for _, k := range []int{i, j} {
				var err error
				if state, err = (lww.Register{}).Apply(state, lww.Register{}.Set("p", state, values[k]), ascending[k]); err != nil {
					t.Fatal(err)
				}
			}
			if want := values[max(i, j)]; state.Value != want {
				t.Errorf("%v then %v: %#v, want %#v", e, f, state.Value, want)
			}
		}
	}
}

// Scenario 62: a state without a writer loses to every write and to every state with one.
func TestAStateWithoutWriterLoses(t *testing.T) {
	legacy := proto.PropertyState{Name: "p", Kind: lww.Code, Value: value.String("old")}
	written, err := lww.Register{}.Apply(legacy, lww.Register{}.Set("p", legacy, value.Null), id.EventID{ULID: id.Make(1, [8]byte{})})
	if err != nil || !written.Value.IsNull() {
		t.Fatalf("%+v, %v", written, err)
	}
	for _, pair := range [][2]proto.PropertyState{{legacy, written}, {written, legacy}} {
		if merged, err := (lww.Register{}).Merge(pair[0], pair[1]); err != nil || !merged.Value.IsNull() {
			t.Errorf("%+v, %v", merged, err)
		}
	}
}

// Scenario 63.
func TestMalformedIsRefused(t *testing.T) {
	event := id.EventID{ULID: id.Make(1, [8]byte{})}
	fine := proto.PropertyState{Name: "p", Kind: lww.Code, Value: value.Int(1), Data: event.Bytes()}
	for name, data := range map[string][]byte{
		"empty": nil, "two items": {1, 2}, "an array": {0x90}, "the byte never used": {0xc1}, "cut off": {0xcb, 0, 0},
	} {
		op := proto.Operation{Property: "p", Kind: lww.Code, Data: data}
		after, err := lww.Register{}.Apply(fine, op, event)
		if !errors.Is(err, property.ErrOperation) || after.Value != fine.Value || !bytes.Equal(after.Data, fine.Data) {
			t.Errorf("%s: applied as %+v, %v", name, after, err)
		}
		if v, ok, err := (lww.Register{}).Written(op); !errors.Is(err, property.ErrOperation) || ok {
			t.Errorf("%s: writes %#v, %v, %v", name, v, ok, err)
		}
	}
	for _, data := range [][]byte{{1}, make([]byte, 15), make([]byte, 17)} {
		broken := proto.PropertyState{Name: "p", Kind: lww.Code, Data: data}
		_, err1 := lww.Register{}.Apply(broken, lww.Register{}.Set("p", fine, value.Null), event)
		_, err2 := lww.Register{}.Merge(broken, fine)
		_, err3 := lww.Register{}.Merge(fine, broken)
		for _, err := range []error{err1, err2, err3} {
			if !errors.Is(err, property.ErrOperation) {
				t.Errorf("a writer of %d bytes: %v", len(data), err)
			}
		}
	}
}

func TestServes(t *testing.T) {
	for kind, want := range map[schema.Kind]bool{"": true, schema.KindLWW: true, schema.KindText: true, "counter": false} {
		if got := (lww.Register{}).Serves(kind); got != want {
			t.Errorf("%q: %v", kind, got)
		}
	}
}

func ExampleRegister() {
	var kind lww.Register
	earlier := id.EventID{ULID: id.Make(1, [8]byte{})}
	later := id.EventID{ULID: id.Make(2, [8]byte{})}

	// The later write arrives first, and stays.
	state, _ := kind.Apply(proto.PropertyState{Name: "year"}, kind.Set("year", proto.PropertyState{}, value.Int(2002)), later)
	state, _ = kind.Apply(state, kind.Set("year", proto.PropertyState{}, value.Int(2001)), earlier)
	fmt.Println(state.Value)
	// Output: 2002
}
