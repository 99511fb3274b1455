package value

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// MaxJSONDepth bounds how deeply a JSON value may be nested.
const MaxJSONDepth = msgpack.MaxDepth

// ErrJSON is wrapped by the errors of JSON and JSONFromMsgpack.
var ErrJSON = errors.New("value: not a JSON document")

// JSON returns a JSON value for a Go tree of nil, bool, int, int64, float64, string,
// []any and map[string]any. Numbers that are whole and fit become integers, keys are
// sorted, and the result is encoded as MessagePack, so equal documents are equal
// values. It fails on anything else, on NaN and infinities, on text that is not
// UTF-8, and beyond MaxJSONDepth.
func JSON(tree any) (Value, error) {
	b, err := appendJSON(nil, tree, 0)
	if err != nil {
		return Null, err
	}
	return Value{kind: KindJSON, str: string(b)}, nil
}

func appendJSON(dst []byte, tree any, depth int) ([]byte, error) {
	if depth > MaxJSONDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrJSON, MaxJSONDepth)
	}
	switch t := tree.(type) {
	case nil:
		return msgpack.AppendNil(dst), nil
	case bool:
		return msgpack.AppendBool(dst, t), nil
	case int:
		return msgpack.AppendInt(dst, int64(t)), nil
	case int64:
		return msgpack.AppendInt(dst, t), nil
	case float64:
		return appendJSONNumber(dst, t)
	case string:
		if !utf8.ValidString(t) {
			return nil, fmt.Errorf("%w: text that is not UTF-8", ErrJSON)
		}
		return msgpack.AppendString(dst, t), nil
	case []any:
		dst = msgpack.AppendArrayLen(dst, len(t))
		var err error
		for _, item := range t {
			if dst, err = appendJSON(dst, item, depth+1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	case map[string]any:
		return appendJSONObject(dst, t, depth)
	}
	return nil, fmt.Errorf("%w: %T", ErrJSON, tree)
}

func appendJSONNumber(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%w: %v is not a JSON number", ErrJSON, f)
	}
	if f == math.Trunc(f) && f >= -(1<<63) && f < 1<<63 {
		return msgpack.AppendInt(dst, int64(f)), nil
	}
	return msgpack.AppendFloat(dst, f), nil
}

func appendJSONObject(dst []byte, m map[string]any, depth int) ([]byte, error) {
	keys := make([]string, 0, len(m))
	for k := range m {
		if !utf8.ValidString(k) {
			return nil, fmt.Errorf("%w: key that is not UTF-8", ErrJSON)
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = msgpack.AppendMapLen(dst, len(m))
	var err error
	for _, k := range keys {
		dst = msgpack.AppendString(dst, k)
		if dst, err = appendJSON(dst, m[k], depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// JSONFromMsgpack returns the JSON value that a MessagePack item stands for, in
// canonical form whatever form the input had. b is not retained.
func JSONFromMsgpack(b []byte) (Value, error) {
	r := msgpack.NewReader(b)
	tree := readJSON(&r, 0)
	if err := r.Done(); err != nil {
		return Null, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	return JSON(tree)
}

// Tree returns the Go tree of a JSON value, of the types that JSON accepts, with
// whole numbers as int64. Other kinds return nil.
func (v Value) Tree() any {
	if v.kind != KindJSON {
		return nil
	}
	r := msgpack.NewStringReader(v.str)
	return readJSON(&r, 0)
}

// JSONMsgpack returns the canonical MessagePack of a JSON value.
func (v Value) JSONMsgpack() (string, bool) { return v.str, v.kind == KindJSON }

// believedLen is how many items of a container are made room for before they are seen.
// Nested headers can each promise as many as the input has bytes left.
const believedLen = 32

func readJSON(r *msgpack.Reader, depth int) any {
	if depth > MaxJSONDepth {
		r.Fail(msgpack.ErrTooDeep)
		return nil
	}
	switch r.Next() {
	case msgpack.TypeBool:
		return r.Bool()
	case msgpack.TypeInt:
		return r.Int()
	case msgpack.TypeFloat:
		return r.Float()
	case msgpack.TypeString:
		return r.String()
	case msgpack.TypeArray:
		n := r.ArrayLen(math.MaxInt32)
		list := make([]any, 0, min(n, believedLen))
		for ; n > 0 && r.Err() == nil; n-- {
			list = append(list, readJSON(r, depth+1))
		}
		return list
	case msgpack.TypeMap:
		n := r.MapLen(math.MaxInt32)
		m := make(map[string]any, min(n, believedLen))
		for ; n > 0 && r.Err() == nil; n-- {
			k := r.String()
			m[k] = readJSON(r, depth+1)
		}
		return m
	}
	r.Nil()
	return nil
}

// Scalar returns the scalar that a JSON value holds as a value of that kind (JSON
// null as Null); every other value returns itself. It allocates nothing: text stays
// part of the document that it came from, and keeps it in memory.
func (v Value) Scalar() Value {
	if v.kind != KindJSON {
		return v
	}
	r := msgpack.NewStringReader(v.str)
	return v.scalarAt(&r, v)
}

// scalarAt returns the scalar at r, a reader of v's document; otherwise if there is none.
func (v Value) scalarAt(r *msgpack.Reader, otherwise Value) Value {
	switch r.Next() {
	case msgpack.TypeNil:
		return Null
	case msgpack.TypeBool:
		return Bool(r.Bool())
	case msgpack.TypeInt:
		return Int(r.Int())
	case msgpack.TypeFloat:
		return Float(r.Float())
	case msgpack.TypeString:
		n := len(r.StringBytes())
		end := len(v.str) - r.Remaining()
		return String(v.str[end-n : end])
	}
	return otherwise
}

// Path follows object keys through a JSON value and returns what it finds: a scalar
// as its own kind, a container as JSON, and Null where the path leads nowhere or v is
// not JSON. Like Scalar it allocates nothing.
func (v Value) Path(steps ...string) Value {
	if v.kind != KindJSON {
		return Null
	}
	r := msgpack.NewStringReader(v.str)
	for _, step := range steps {
		if !enter(&r, step) {
			return Null
		}
	}
	start, item := len(v.str)-r.Remaining(), r
	if item.SkipKnown(); item.Err() != nil {
		return Null
	}
	return v.scalarAt(&r, Value{kind: KindJSON, str: v.str[start : len(v.str)-item.Remaining()]})
}

// enter moves r from an object, whose keys ascend, to the value under key.
func enter(r *msgpack.Reader, key string) bool {
	if r.Next() != msgpack.TypeMap {
		return false
	}
	for n := r.MapLen(math.MaxInt32); n > 0 && r.Err() == nil; n-- {
		if k := r.StringBytes(); string(k) >= key {
			return string(k) == key
		}
		r.SkipKnown()
	}
	return false
}

// appendJSONText appends v as JSON text. It is written here because encoding/json
// costs the browser binary 130 KB of brotli.
func appendJSONText(dst []byte, v Value) []byte { return appendTreeText(dst, v.Tree()) }

func appendTreeText(dst []byte, tree any) []byte {
	switch t := tree.(type) {
	case bool:
		return strconv.AppendBool(dst, t)
	case int64:
		return strconv.AppendInt(dst, t, 10)
	case float64:
		return strconv.AppendFloat(dst, t, 'g', -1, 64)
	case string:
		return appendTextLiteral(dst, t)
	case []any:
		dst = append(dst, '[')
		for i, item := range t {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendTreeText(dst, item)
		}
		return append(dst, ']')
	case map[string]any:
		keys := make([]string, 0, len(t))
		for k := range t {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		dst = append(dst, '{')
		for i, k := range keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendTextLiteral(dst, k), ':')
			dst = appendTreeText(dst, t[k])
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

func appendTextLiteral(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', byte(c))
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = utf8.AppendRune(dst, c)
		}
	}
	return append(dst, '"')
}

// JSONText returns a JSON value as JSON text, with sorted keys and no spaces.
func (v Value) JSONText() (string, bool) {
	if v.kind != KindJSON {
		return "", false
	}
	var b strings.Builder
	b.Write(appendJSONText(nil, v))
	return b.String(), true
}
