package msgpack_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	reference "github.com/vmihailenco/msgpack/v5"

	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// randomTree returns what msgpack can say, in Go types of which the reference decodes
// each to itself.
func randomTree(rng *rand.Rand, depth int) any {
	kinds := 9
	if depth == 0 {
		kinds = 7
	}
	switch rng.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return rng.IntN(2) == 0
	case 2:
		return int64(rng.Uint64()) >> rng.IntN(64)
	case 3:
		return []float64{0, -1.5, math.Pi, 1e300, math.Inf(1), math.SmallestNonzeroFloat64}[rng.IntN(6)]
	case 4:
		return strings.Repeat([]string{"a", "é", "\x00", "😀"}[rng.IntN(4)], rng.IntN(1<<rng.IntN(17)))
	case 5:
		return bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(1<<rng.IntN(17)))
	case 6:
		return uint64(1)<<63 | rng.Uint64()
	case 7:
		list := make([]any, rng.IntN(40))
		for i := range list {
			list[i] = randomTree(rng, depth-1)
		}
		return list
	}
	dict := make(map[string]any)
	for n := rng.IntN(20); n > 0; n-- {
		dict[string(rune('a'+rng.IntN(26)))] = randomTree(rng, depth-1)
	}
	return dict
}

func appendTree(dst []byte, tree any) []byte {
	switch v := tree.(type) {
	case bool:
		return msgpack.AppendBool(dst, v)
	case int64:
		return msgpack.AppendInt(dst, v)
	case uint64:
		return msgpack.AppendUint(dst, v)
	case float64:
		return msgpack.AppendFloat(dst, v)
	case string:
		return msgpack.AppendString(dst, v)
	case []byte:
		return msgpack.AppendBytes(dst, v)
	case []any:
		dst = msgpack.AppendArrayLen(dst, len(v))
		for _, item := range v {
			dst = appendTree(dst, item)
		}
		return dst
	case map[string]any:
		dst = msgpack.AppendMapLen(dst, len(v))
		for key, item := range v {
			dst = appendTree(msgpack.AppendString(dst, key), item)
		}
		return dst
	}
	return msgpack.AppendNil(dst)
}

func readTree(r *msgpack.Reader) any {
	switch r.Next() {
	case msgpack.TypeBool:
		return r.Bool()
	case msgpack.TypeInt:
		big := *r
		if u := big.Uint(); big.Err() == nil && u > math.MaxInt64 {
			return r.Uint()
		}
		return r.Int()
	case msgpack.TypeFloat:
		return r.Float()
	case msgpack.TypeString:
		return r.String()
	case msgpack.TypeBytes:
		return append([]byte{}, r.Bytes()...)
	case msgpack.TypeArray:
		list := make([]any, r.ArrayLen(math.MaxInt32))
		for i := range list {
			list[i] = readTree(r)
		}
		return list
	case msgpack.TypeMap:
		dict := make(map[string]any)
		for n := r.MapLen(math.MaxInt32); n > 0; n-- {
			key := r.String()
			dict[key] = readTree(r)
		}
		return dict
	}
	r.Nil()
	return nil
}

// normal gives integers that fit the type int64, for comparison: the reference decodes by
// the form that was written.
func normal(tree any) any {
	switch v := reflect.ValueOf(tree); v.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return v.Int()
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() <= math.MaxInt64 {
			return int64(v.Uint())
		}
	}
	switch v := tree.(type) {
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = normal(v[key])
		}
	}
	return tree
}

func decodeByReference(t *testing.T, b []byte) any {
	t.Helper()
	tree, err := reference.NewDecoder(bytes.NewReader(b)).DecodeInterface()
	if err != nil {
		t.Fatalf("the reference refuses %.40x…: %v", b, err)
	}
	return normal(tree)
}

func encodeByReference(t *testing.T, tree any, compact bool) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := reference.NewEncoder(&out)
	enc.UseCompactInts(compact)
	if err := enc.Encode(tree); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What one writes the other reads, and both read the same.
func TestAgreesWithTheReference(t *testing.T) {
	for seed := range uint64(400) {
		tree := randomTree(rand.New(rand.NewPCG(seed, 0)), 4)
		if got := decodeByReference(t, appendTree(nil, tree)); !reflect.DeepEqual(got, tree) {
			t.Fatalf("seed %d: what the reference reads is not what was written", seed)
		}
		for _, compact := range []bool{false, true} {
			r := msgpack.NewReader(encodeByReference(t, tree, compact))
			if got := readTree(&r); r.Done() != nil || !reflect.DeepEqual(got, tree) {
				t.Fatalf("seed %d: what is read (%v) is not what the reference wrote", seed, r.Err())
			}
		}
	}
}

// Both choose the same forms, byte by byte.
func TestWritesWhatTheReferenceWrites(t *testing.T) {
	for seed := range uint64(2000) {
		tree := randomTree(rand.New(rand.NewPCG(seed, 1)), 0)
		if i, ok := tree.(int64); ok && i >= 0 {
			tree = uint64(i) // the reference writes positive int64 in signed forms
		}
		want := encodeByReference(t, tree, true)
		if got := appendTree(nil, tree); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %.40x…, the reference writes %.40x…", seed, got, want)
		}
	}
}

type extension struct{ data []byte }

func (e *extension) MarshalMsgpack() ([]byte, error) { return e.data, nil }

func (e *extension) UnmarshalMsgpack(b []byte) error {
	e.data = bytes.Clone(b)
	return nil
}

func TestExtensionsAgreeWithTheReference(t *testing.T) {
	const typ = 42
	reference.RegisterExt(typ, (*extension)(nil))
	for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 255, 256, 65535, 65536} {
		data := bytes.Repeat([]byte{0xab}, n)
		want := encodeByReference(t, &extension{data}, true)
		got := msgpack.AppendExt(nil, typ, data)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes are %.12x…, the reference writes %.12x…", n, got, want)
		}
		var back extension
		if err := reference.Unmarshal(got, &back); err != nil || !bytes.Equal(back.data, data) {
			t.Fatalf("%d bytes: the reference reads %d (%v)", n, len(back.data), err)
		}
		r := msgpack.NewReader(want)
		if gotType, b := r.Ext(); gotType != typ || !bytes.Equal(b, data) || r.Done() != nil {
			t.Fatalf("%d bytes: read %d of type %d (%v)", n, len(b), gotType, r.Err())
		}
	}
}
