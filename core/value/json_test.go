package value

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/internal/msgpack"
)

func nested(depth int) any {
	var tree any = []any{}
	for range depth {
		tree = map[string]any{"a": tree}
	}
	return tree
}

// One document has one form: the order of keys, the type of a whole number, and how
// MessagePack spells it do not matter.
func TestEqualDocumentsAreEqualValues(t *testing.T) {
	for name, spellings := range map[string][]any{
		"whole numbers": {1, int64(1), 1.0},
		"zero":          {0, 0.0, math.Copysign(0, -1)},
		"least int64":   {int64(math.MinInt64), -0x1p63},
		"in containers": {[]any{1.0, map[string]any{"k": -0x1p63}}, []any{1, map[string]any{"k": int64(math.MinInt64)}}},
		"beyond int64":  {0x1p63, float64(1 << 63)},
	} {
		for _, tree := range spellings[1:] {
			if a, b := mustJSON(spellings[0]), mustJSON(tree); a != b {
				t.Errorf("%s: %#v and %#v differ", name, a, b)
			}
		}
	}
	want := mustJSON(map[string]any{"a": 1, "b": []any{true}})
	for name, b := range map[string][]byte{
		"canonical":     {0x82, 0xa1, 'a', 1, 0xa1, 'b', 0x91, 0xc3},
		"other order":   {0x82, 0xa1, 'b', 0x91, 0xc3, 0xa1, 'a', 1},
		"longer forms":  {0xde, 0, 2, 0xd9, 1, 'a', 0xd3, 0, 0, 0, 0, 0, 0, 0, 1, 0xa1, 'b', 0xdc, 0, 1, 0xc3},
		"float for int": {0x82, 0xa1, 'a', 0xca, 0x3f, 0x80, 0, 0, 0xa1, 'b', 0x91, 0xc3},
		"key twice":     {0x83, 0xa1, 'a', 7, 0xa1, 'b', 0x91, 0xc3, 0xa1, 'a', 1},
	} {
		if got, err := JSONFromMsgpack(b); err != nil || got != want {
			t.Errorf("%s: %#v, %v; want %#v", name, got, err, want)
		}
	}
}

func TestWhatIsNoDocumentIsRefused(t *testing.T) {
	for name, tree := range map[string]any{
		"NaN":               math.NaN(),
		"infinity":          math.Inf(-1),
		"text not UTF-8":    "\xff",
		"key not UTF-8":     map[string]any{"\xff": 1},
		"another type":      struct{}{},
		"bytes":             []byte{1},
		"deep inside":       []any{map[string]any{"a": []any{math.NaN()}}},
		"nested too deeply": nested(MaxJSONDepth + 1),
	} {
		if v, err := JSON(tree); !errors.Is(err, ErrJSON) || v != Null {
			t.Errorf("%s: %#v, %v", name, v, err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"two items":         {1, 2},
		"bytes":             msgpack.AppendBytes(nil, "a"),
		"extension":         msgpack.AppendExt(nil, 1, "a"),
		"key that is a 1":   {0x81, 1, 1},
		"NaN":               msgpack.AppendFloat(nil, math.NaN()),
		"integer of 2^63":   msgpack.AppendUint(nil, 1<<63),
		"nested too deeply": append([]byte(strings.Repeat("\x91", MaxJSONDepth+1)), 0x90),
		"array cut off":     {0xdd, 0, 0, 0, 9, 1},
	} {
		if v, err := JSONFromMsgpack(b); !errors.Is(err, ErrJSON) || v != Null {
			t.Errorf("%s: %#v, %v", name, v, err)
		}
	}
}

// As deep as allowed is allowed everywhere: made, stored, read, looked into.
func TestTheDeepestDocumentWorks(t *testing.T) {
	v := mustJSON(nested(MaxJSONDepth))
	r := msgpack.NewReader(Append(nil, v))
	if got := Read(&r); got != v || r.Done() != nil {
		t.Fatalf("it is read as %#v, %v", got, r.Err())
	}
	path := strings.Split(strings.Repeat("a", MaxJSONDepth), "")
	if got := v.Path(path...); got != mustJSON([]any{}) {
		t.Errorf("its deepest part is %#v", got)
	}
	if again, err := JSON(v.Tree()); err != nil || again != v {
		t.Errorf("its tree makes %v", err)
	}
}

func TestTree(t *testing.T) {
	tree := map[string]any{"n": nil, "b": true, "i": int64(-7), "f": 1.5, "s": "é", "l": []any{int64(1), []any{}}, "m": map[string]any{}}
	if got := mustJSON(tree).Tree(); !reflect.DeepEqual(got, tree) {
		t.Errorf("%v, want %v", got, tree)
	}
	if got := String("x").Tree(); got != nil {
		t.Errorf("the tree of a text is %v", got)
	}
}

var meta = mustJSON(map[string]any{
	"genre": "rock", "year": 2001, "rating": 4.5, "live": false, "none": nil,
	"label": map[string]any{"name": "Mushroom", "country": map[string]any{"code": "GB"}}, "tags": []any{"a", "b"}, "": "empty", "a.b": "dot",
})

func TestPath(t *testing.T) {
	for _, tc := range []struct {
		path string // steps separated by /
		want Value
	}{
		{"genre", String("rock")},
		{"year", Int(2001)},
		{"rating", Float(4.5)},
		{"live", Bool(false)},
		{"none", Null},
		{"", String("empty")},
		{"a.b", String("dot")},
		{"label/name", String("Mushroom")},
		{"label/country/code", String("GB")},
		{"label/country", mustJSON(map[string]any{"code": "GB"})},
		{"tags", mustJSON([]any{"a", "b"})},
		{"missing", Null},
		{"Genre", Null},
		{"genre/more", Null},
		{"tags/0", Null},
		{"none/more", Null},
		{"label/missing/code", Null},
	} {
		if got := meta.Path(strings.Split(tc.path, "/")...); got != tc.want {
			t.Errorf("%q is %#v, want %#v", tc.path, got, tc.want)
		}
	}
	if got := meta.Path(); got != meta {
		t.Errorf("no step leads to %#v", got)
	}
	for _, v := range []Value{Null, String("x"), Bytes([]byte{0x81, 0xa1, 'a', 1})} {
		if got := v.Path("a"); got != Null {
			t.Errorf("in %#v: %#v", v, got)
		}
	}
}

func TestScalar(t *testing.T) {
	for tree, want := range map[any]Value{nil: Null, true: Bool(true), 1: Int(1), 1.5: Float(1.5), "": String(""), "text": String("text")} {
		if got := mustJSON(tree).Scalar(); got != want {
			t.Errorf("JSON %v is %#v, want %#v", tree, got, want)
		}
	}
	for _, v := range []Value{meta, mustJSON([]any{}), Int(1), Null} {
		if got := v.Scalar(); got != v {
			t.Errorf("%#v becomes %#v", v, got)
		}
	}
}

func TestLookingIntoJSONDoesNotAllocate(t *testing.T) {
	text := mustJSON(strings.Repeat("long text ", 20))
	for name, look := range map[string]func(){
		"text":           func() { _ = meta.Path("genre") },
		"deep text":      func() { _ = meta.Path("label", "country", "code") },
		"number":         func() { _ = meta.Path("rating") },
		"container":      func() { _ = meta.Path("label") },
		"nowhere":        func() { _ = meta.Path("missing") },
		"scalar":         func() { _ = text.Scalar() },
		"compare":        func() { _ = Compare(text, meta) },
		"scalar of list": func() { _ = meta.Scalar() },
	} {
		if n := testing.AllocsPerRun(50, look); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// JSON text is read by others as what it was made of.
func TestJSONTextIsJSON(t *testing.T) {
	trees := []any{nil, true, "", "a\"b\\c\n\x00\x1f\x7f</é\u2028😀", 0.0, -1.5, 1e300, 5e-324, []any{}, map[string]any{}, meta.Tree(), []any{1.0, "x", nil, map[string]any{"\n": []any{[]any{}}}}}
	for _, tree := range trees {
		v := mustJSON(tree)
		text, ok := v.JSONText()
		if !ok {
			t.Fatalf("%#v has no text", v)
		}
		var read any
		if err := json.Unmarshal([]byte(text), &read); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again := mustJSON(read); again != v {
			t.Errorf("%s is read as %#v, want %#v", text, again, v)
		}
	}
	if text, _ := meta.JSONText(); !strings.HasPrefix(text, `{"":"empty","a.b":"dot","genre":"rock",`) {
		t.Errorf("keys are not sorted, or there are spaces: %s", text)
	}
	if text, ok := String("x").JSONText(); ok || text != "" {
		t.Errorf("a text has the JSON text %q", text)
	}
	if m, ok := meta.JSONMsgpack(); !ok || m == "" {
		t.Errorf("no MessagePack: %q, %v", m, ok)
	}
}
