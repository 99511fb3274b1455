package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// Coerce converts v to the kind that the property stores, without loss: a whole
// float to an int, an int to a float that represents it exactly, the text forms of ids,
// times (to the microsecond), booleans and numbers, those to their text, and booleans,
// numbers and text to JSON. Null stays null. What cannot be converted is an ErrValue;
// whether the property takes the result is for Check to say.
func (p *Property) Coerce(v value.Value) (value.Value, error) {
	if v.IsNull() || v.Kind() == p.ValueKind() {
		return v, nil
	}
	if out, ok := p.convert(v); ok {
		return out, nil
	}
	return value.Null, fmt.Errorf("%w: %s takes %s, and %s is not one", ErrValue, p.Name, p.Type, clip(v.String()))
}

func (p *Property) convert(v value.Value) (value.Value, bool) {
	switch p.Type {
	case TypeInt:
		return toInt(v)
	case TypeTime:
		return toTime(v)
	case TypeFloat:
		return toFloat(v)
	case TypeRef:
		return toID(v)
	case TypeBool:
		return toBool(v)
	case TypeString:
		return toString(v)
	case TypeJSON:
		return toJSON(v)
	}
	return value.Null, false
}

func toInt(v value.Value) (value.Value, bool) {
	if f, ok := v.AsFloat(); ok && v.Kind() == value.KindFloat {
		if f == math.Trunc(f) && f >= -(1<<63) && f < 1<<63 {
			return value.Int(int64(f)), true
		}
		return value.Null, false
	}
	if s, ok := v.AsString(); ok {
		i, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		return value.Int(i), err == nil
	}
	return value.Null, false
}

func toFloat(v value.Value) (value.Value, bool) {
	if s, ok := v.AsString(); ok {
		return parseFloat(strings.TrimSpace(s))
	}
	if i, ok := v.AsInt(); ok {
		f := float64(i)
		return value.Float(f), value.Equal(value.Float(f), v)
	}
	return value.Null, false
}

// parseFloat reads a decimal number, NaN or an infinity. A fraction is rounded to the
// nearest float, as everywhere; a whole number of 64 bits must be one exactly.
func parseFloat(s string) (value.Value, bool) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return toFloat(value.Int(i))
	}
	f, err := strconv.ParseFloat(s, 64)
	return value.Float(f), err == nil && !strings.ContainsAny(s, "xX_")
}

func toTime(v value.Value) (value.Value, bool) {
	s, ok := v.AsString()
	if !ok {
		return toInt(v)
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return value.Int(t.UnixMicro()), t.Nanosecond()%1000 == 0
		}
	}
	return value.Null, false
}

func toID(v value.Value) (value.Value, bool) {
	s, _ := v.AsString()
	e, err := id.ParseEntity(s)
	return value.ID(e), err == nil
}

func toBool(v value.Value) (value.Value, bool) {
	switch s, _ := v.AsString(); s {
	case "true":
		return value.Bool(true), true
	case "false":
		return value.Bool(false), true
	}
	return value.Null, false
}

func toString(v value.Value) (value.Value, bool) {
	switch v.Kind() {
	case value.KindInt, value.KindFloat, value.KindBool, value.KindID:
		return value.String(v.String()), true
	}
	return value.Null, false
}

func toJSON(v value.Value) (value.Value, bool) {
	var tree any
	switch v.Kind() {
	case value.KindBool:
		tree, _ = v.AsBool()
	case value.KindInt:
		tree, _ = v.AsInt()
	case value.KindFloat:
		tree, _ = v.AsFloat()
	case value.KindString:
		tree, _ = v.AsString()
	default: // a byte string or an id: JSON has no such thing
		return value.Null, false
	}
	j, err := value.JSON(tree)
	return j, err == nil
}
