package ankql

import (
	"fmt"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// Named gives the parameters of a text that refers to them by :name.
type Named map[string]any

// Valuer is implemented by types outside this package that stand for a value, such as
// typed references.
type Valuer interface {
	AnkQLValue() value.Value
}

// binder hands out parameters in the order in which a text asks for them.
type binder struct {
	positional []any
	named      Named
	isNamed    bool
	used       int
}

func newBinder(params []any) binder {
	if len(params) == 1 {
		if named, ok := params[0].(Named); ok {
			return binder{named: named, isNamed: true}
		}
	}
	return binder{positional: params}
}

// bound is what one parameter stands for: a value, a list, or a predicate.
type bound struct {
	value  value.Value
	list   []value.Value
	isList bool
	expr   Expr
}

// bind returns what the placeholder t stands for.
func (b *binder) bind(t token) (bound, error) {
	given, err := b.find(t)
	if err != nil {
		return bound{}, err
	}
	out, problem := bindParameter(given)
	if problem != "" {
		return bound{}, t.at.err("a bool, number, text, bytes, time, id, JSON, or list of these for "+b.describe(t), problem, "")
	}
	return out, nil
}

func (b *binder) find(t token) (any, error) {
	switch {
	case t.text == "" && b.isNamed:
		return nil, t.at.err("a named parameter", "?", "these parameters have names: write :name")
	case t.text != "" && !b.isNamed:
		return nil, t.at.err("parameters by name", "none for "+clip(t.raw), "pass one ankql.Named")
	case b.isNamed:
		v, ok := b.named[t.text]
		if !ok {
			return nil, t.at.err("a parameter called "+clip(t.raw), "none", "")
		}
		return v, nil
	case b.used == len(b.positional):
		return nil, t.at.err("a parameter for every ?", "only "+strconv.Itoa(b.used), "")
	}
	b.used++
	return b.positional[b.used-1], nil
}

func (b *binder) describe(t token) string {
	if t.text != "" {
		return clip(t.raw)
	}
	return "parameter " + strconv.Itoa(b.used)
}

// done reports parameters that nothing asked for. Names may be left over, since
// a misspelt one shows itself by the one that is missing.
func (b *binder) done(at position) error {
	if n := len(b.positional); b.used < n {
		return at.err("a ? for every parameter", strconv.Itoa(n)+" parameters for "+strconv.Itoa(b.used), "")
	}
	return nil
}

// bindParameter converts a Go value; problem says why it cannot.
func bindParameter(v any) (b bound, problem string) {
	if e, ok := v.(Expr); ok {
		return bound{expr: e}, ""
	}
	if scalar, ok, problem := scalarOf(v); ok || problem != "" {
		return bound{value: scalar}, problem
	}
	list, problem := listOf(v)
	return bound{list: list, isList: true}, problem
}

// scalarOf converts a Go value that is not a list.
func scalarOf(v any) (out value.Value, ok bool, problem string) {
	switch v := v.(type) {
	case nil:
		return value.Null, true, ""
	case Column:
		return value.Null, false, "a Column, which stands in conditions that Go code puts together"
	case value.Value:
		return checkedText(v)
	case Valuer:
		return checkedText(v.AnkQLValue())
	case bool:
		return value.Bool(v), true, ""
	case int:
		return value.Int(int64(v)), true, ""
	case int64:
		return value.Int(v), true, ""
	case float64:
		return value.Float(v), true, ""
	case string:
		return checkedText(value.String(v))
	case []byte:
		return value.Bytes(v), true, ""
	case id.EntityID:
		return value.ID(v), true, ""
	case time.Time:
		return value.Int(v.UnixMicro()), true, ""
	case map[string]any:
		j, err := value.JSON(v)
		if err != nil {
			return value.Null, false, err.Error()
		}
		return j, true, ""
	}
	return scalarByKind(reflect.ValueOf(v))
}

// scalarByKind converts the remaining sizes of numbers, types with a name, and pointers.
func scalarByKind(v reflect.Value) (out value.Value, ok bool, problem string) {
	switch v.Kind() {
	case reflect.Bool:
		return value.Bool(v.Bool()), true, ""
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return value.Int(v.Int()), true, ""
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if v.Uint() > 1<<63-1 {
			return value.Null, false, strconv.FormatUint(v.Uint(), 10) + ", which does not fit in 64 bits with a sign"
		}
		return value.Int(int64(v.Uint())), true, ""
	case reflect.Float32, reflect.Float64:
		return value.Float(v.Float()), true, ""
	case reflect.String:
		return checkedText(value.String(v.String()))
	case reflect.Pointer:
		if v.IsNil() {
			return value.Null, true, ""
		}
		return scalarOf(v.Elem().Interface())
	}
	return value.Null, false, ""
}

func checkedText(v value.Value) (value.Value, bool, string) {
	if s, ok := v.AsString(); ok && !utf8.ValidString(s) {
		return value.Null, false, "text that is not UTF-8"
	}
	return v, true, ""
}

func listOf(v any) ([]value.Value, string) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return nil, fmt.Sprintf("a %T", v)
	}
	if rv.Len() > MaxItems {
		return nil, strconv.Itoa(rv.Len()) + " items, more than " + strconv.Itoa(MaxItems)
	}
	items := make([]value.Value, rv.Len())
	for i := range items {
		item := rv.Index(i).Interface()
		out, ok, problem := scalarOf(item)
		switch {
		case problem != "":
			return nil, problem
		case !ok:
			return nil, fmt.Sprintf("a list with a %T in it", item)
		}
		items[i] = out
	}
	return items, ""
}
