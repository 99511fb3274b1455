package value

import (
	"fmt"
	"math"
	"strconv"

	"github.com/ankurah-go/ankurah/core/id"
)

// Kind is the variant that a Value holds. The numbers are part of the formats:
// the list is append-only.
type Kind uint8

// The kinds of values.
const (
	KindNull Kind = iota
	KindBool
	KindInt    // int64
	KindFloat  // float64
	KindString // UTF-8 text
	KindBytes
	KindID   // a reference to an entity
	KindJSON // a JSON document, canonically encoded (see JSON)
)

var kindNames = [...]string{"null", "bool", "int", "float", "string", "bytes", "id", "json"}

// String returns the kind's name, as it appears in error messages.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Value is one immutable value. The zero Value is null.
type Value struct {
	kind Kind
	num  uint64 // bool, int and float bits
	str  string // string, bytes, id, canonical JSON
}

// Null is the null value; a property that was never set reads as null too.
var Null = Value{}

// Bool returns a boolean value.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// Int returns an integer value.
func Int(i int64) Value { return Value{kind: KindInt, num: uint64(i)} }

// Float returns a floating-point value.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// String returns a text value. The text must be UTF-8 (schema.Property.Check and the
// decoders refuse what is not).
func String(s string) Value { return Value{kind: KindString, str: s} }

// Bytes returns a byte-string value; b is copied.
func Bytes(b []byte) Value { return Value{kind: KindBytes, str: string(b)} }

// ID returns a reference to an entity.
func ID(e id.EntityID) Value {
	b := e.Array()
	return Value{kind: KindID, str: string(b[:])}
}

// Kind returns what v holds.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// AsBool returns the boolean that v holds; ok is false if it holds something else.
func (v Value) AsBool() (b, ok bool) {
	ok = v.kind == KindBool
	return ok && v.num != 0, ok
}

// AsInt returns the integer that v holds.
func (v Value) AsInt() (i int64, ok bool) {
	if v.kind != KindInt {
		return 0, false
	}
	return int64(v.num), true
}

// AsFloat returns the float that v holds, or its integer as a float.
func (v Value) AsFloat() (f float64, ok bool) {
	switch v.kind {
	case KindFloat:
		return math.Float64frombits(v.num), true
	case KindInt:
		return float64(int64(v.num)), true
	}
	return 0, false
}

// AsString returns the text that v holds.
func (v Value) AsString() (s string, ok bool) {
	if v.kind != KindString {
		return "", false
	}
	return v.str, true
}

// AsBytes returns the byte string that v holds, as a fresh slice.
func (v Value) AsBytes() (b []byte, ok bool) {
	if v.kind != KindBytes {
		return nil, false
	}
	return []byte(v.str), true
}

// AsID returns the reference that v holds.
func (v Value) AsID() (e id.EntityID, ok bool) {
	if v.kind != KindID {
		return e, false
	}
	u, err := id.FromBytes([]byte(v.str))
	return id.EntityID{ULID: u}, err == nil
}

// Size returns about how many bytes v takes, for limits.
func (v Value) Size() int { return 9 + len(v.str) }

// GoString returns v as it would be written in AnkQL or, for kinds without a
// literal, as kind and content; it is meant for messages and tests.
func (v Value) GoString() string { return v.String() }

// String is GoString, for use with package fmt.
func (v Value) String() string {
	switch v.kind {
	case KindNull:
		return "NULL"
	case KindBool:
		return strconv.FormatBool(v.num != 0)
	case KindInt:
		return strconv.FormatInt(int64(v.num), 10)
	case KindFloat:
		f, _ := v.AsFloat()
		return strconv.FormatFloat(f, 'g', -1, 64)
	case KindString:
		return strconv.Quote(v.str)
	case KindID:
		e, _ := v.AsID()
		return e.String()
	case KindJSON:
		return "json(" + string(appendJSONText(nil, v)) + ")"
	}
	return fmt.Sprintf("%s(%x)", v.kind, v.str)
}
