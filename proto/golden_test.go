package proto

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/internal/msgpack"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden is the bytes of one sample, and how they are read.
type golden struct {
	bytes []byte
	value any
	read  func([]byte) (any, error)
}

func goldens(t testing.TB) map[string]golden {
	all := map[string]golden{
		"event-creation": {AppendEvent(nil, sampleCreation(t)), sampleCreation(t), readAs(DecodeEvent)},
		"event-edit":     {AppendEvent(nil, sampleEdit(t)), sampleEdit(t), readAs(DecodeEvent)},
		"record":         {AppendRecord(nil, sampleRecord(t)), sampleRecord(t), readAs(DecodeRecord)},
		"feed-entry":     {AppendFeedEntry(nil, sampleFeedEntry()), sampleFeedEntry(), readAs(DecodeFeedEntry)},
		"state":          {AppendState(nil, sampleState(t)), sampleState(t), readWith(ReadState)},
		"clock":          {AppendClock(nil, clockOf(1, 2, 200)), clockOf(1, 2, 200), readWith(ReadClock)},
		"clock-empty":    {AppendClock(nil, nil), Clock(nil), readWith(ReadClock)},
		"models":         {AppendModels(nil, sampleModels()), sampleModels(), readWith(ReadModels)},
	}
	for name, f := range sampleFrames(t) {
		all["frame-"+name] = golden{AppendFrame(nil, f), f, readAs(DecodeFrame)}
	}
	return all
}

func readAs[T any](decode func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return decode(b) }
}

func readWith[T any](read func(*msgpack.Reader) T) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		r := msgpack.NewReader(b)
		v := read(&r)
		return v, r.Done()
	}
}

func TestGolden(t *testing.T) {
	for name, g := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "golden", name+".hex")
			if *rewrite {
				if err := os.WriteFile(path, []byte(dump(g.bytes)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := hex.DecodeString(strings.Join(strings.Fields(string(file)), ""))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(g.bytes, want) {
				t.Errorf("encoded as\n%swant\n%s", dump(g.bytes), file)
			}
			if got, err := g.read(want); err != nil || !reflect.DeepEqual(got, g.value) {
				t.Errorf("read as %+v, %v; want %+v", got, err, g.value)
			}
			for n := range want {
				if got, err := g.read(want[:n]); err == nil {
					t.Errorf("the first %d of %d bytes are read as %+v", n, len(want), got)
				}
			}
			if got, err := g.read(append(bytes.Clone(want), 0xc0)); err == nil {
				t.Errorf("with a byte more it is read as %+v", got)
			}
		})
	}
}

// dump writes bytes as lines of hexadecimal digits.
func dump(b []byte) string {
	var out strings.Builder
	for line := range slices.Chunk(b, 32) {
		out.WriteString(hex.EncodeToString(line) + "\n")
	}
	return out.String()
}

// A change of a single byte of a frame, or of what frames carry, is a change of the
// protocol: peers of the old form would misread it.
func TestFormsArePinnedToTheVersion(t *testing.T) {
	all := goldens(t)
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		hash.Write([]byte(name))
		hash.Write(all[name].bytes)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != formsOfVersion {
		t.Errorf("The bytes of the formats changed. If peers or stores of version %d cannot read them, raise Version (and stateVersion, where states changed). "+
			"Then write the golden files anew with go test ./proto -rewrite, and pin formsOfVersion = %q beside Version.", Version, got)
	}
}

func TestEveryFrameTypeHasASample(t *testing.T) {
	seen := map[uint64]bool{}
	for _, f := range sampleFrames(t) {
		seen[f.frameType()] = true
	}
	for typ := range uint64(256) {
		if f := newFrame(typ); (f != nil) != seen[typ] {
			t.Errorf("type %d: there is a frame %T, and a sample: %v", typ, f, seen[typ])
		} else if f != nil && f.frameType() != typ {
			t.Errorf("%T of type %d is made for %d", f, f.frameType(), typ)
		}
	}
}

// No field of a sample is zero, so that none can be left out of the encoding unseen.
func TestSamplesAreFull(t *testing.T) {
	mayBeZero := map[string]bool{ // in one of several
		"Event.Parents": true, "Event.Nonce": true, "Model.Indexes": true, "Index.Unique": true, "IndexColumn.Desc": true, "Change.Before": true, "Change.Undo": true, "AckRow.Before": true, "AckRow.Known": true, "KnownRow.Head": true, "Entry.Events": true,
		"RowChange.Head": true, "RowChange.Properties": true, "RowChange.Kind": true, "PropertyState.Value": true, "Field.Value": true,
		"AggregateColumn.Function": true, "AggregateColumn.Path": true, "AggregateColumn.Distinct": true, "Group.Rows": true, "Group.Parts": true,
		"Present.Gone": true, "Present.User": true, "Present.Since": true, "Present.State": true,
		"Attending.Gone": true, "Attending.User": true, "Attending.Since": true, "Attending.State": true,
		"Model.Properties": true, "Record.Sync": true, "Property.Default": true, "Property.Target": true, "Property.Enum": true, "Property.Optional": true,
	}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			walk(v.Elem())
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				name := v.Type().Name() + "." + v.Type().Field(i).Name
				if !v.Type().Field(i).IsExported() {
					continue
				}
				if v.Field(i).IsZero() && !mayBeZero[name] {
					t.Errorf("%s is zero", name)
				}
				walk(v.Field(i))
			}
		}
	}
	for _, g := range goldens(t) {
		if reflect.ValueOf(g.value).Kind() != reflect.Slice {
			walk(reflect.ValueOf(g.value))
		}
	}
}
