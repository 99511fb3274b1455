package proto

import (
	"fmt"

	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// StateView reads an encoded state where it lies: a scan filters with it and decodes
// only what it keeps. It goes through the properties no further than it is asked to,
// and checks no more than finding them takes; ReadState checks everything. It is reused
// from row to row, and valid for as long as the bytes that it was last reset to. It is
// not safe for concurrent use.
type StateView struct {
	head   []byte
	seen   []propertyView
	unseen []byte // the encoded properties that follow those seen
	left   int    // how many they are
	err    error
}

type propertyView struct {
	name, value []byte
	decoded     bool
	field       value.Value // once decoded: a selection may ask a thousand times for a long text
}

// Reset turns the view to the state that b begins with.
func (v *StateView) Reset(b []byte) error {
	v.head, v.seen, v.unseen, v.left, v.err = nil, v.seen[:0], nil, 0, nil
	r := msgpack.NewReader(b)
	r.Array(3)
	if version := r.Uint(); r.Err() == nil && version != stateVersion {
		return fmt.Errorf("proto: state of version %d, newer than this program's %d", version, stateVersion)
	}
	v.head = r.Known()
	v.left = r.ArrayLen(MaxFrameItems)
	v.unseen = b[len(b)-r.Remaining():]
	return r.Err()
}

// Head returns the encoded head, as AppendClock wrote it. Equal clocks have equal
// bytes.
func (v *StateView) Head() []byte { return v.head }

// Field returns the value of a property; one that was never set is null.
func (v *StateView) Field(name string) value.Value {
	for i := range v.seen {
		if string(v.seen[i].name) == name {
			return v.read(&v.seen[i])
		}
	}
	// Names ascend, so the first greater one ends the search.
	for v.left > 0 && (len(v.seen) == 0 || string(v.seen[len(v.seen)-1].name) < name) {
		if !v.walk() {
			break
		}
		if p := &v.seen[len(v.seen)-1]; string(p.name) == name {
			return v.read(p)
		}
	}
	return value.Null
}

func (v *StateView) read(p *propertyView) value.Value {
	if !p.decoded {
		r := msgpack.NewReader(p.value)
		p.field, p.decoded = value.Read(&r), true
		if err := r.Done(); err != nil {
			v.fail(err)
		}
	}
	return p.field
}

// walk moves the first property of unseen, [name, kind, value, data], to seen.
func (v *StateView) walk() bool {
	b := v.unseen
	name := itemEnd(b, 1)
	kind := itemEnd(b, name)
	val := itemEnd(b, kind)
	data := itemEnd(b, val)
	if data == 0 || b[0] != fourItems {
		v.fail(ErrNotCanonical)
		v.left = 0
		return false
	}
	p := propertyView{value: b[kind:val]}
	if text := b[1:name]; text[0]&0xe0 == 0xa0 { // the form of short names
		p.name = text[1:]
	} else {
		r := msgpack.NewReader(text)
		if p.name = r.StringBytes(); r.Err() != nil {
			v.fail(r.Err())
		}
	}
	v.seen, v.unseen, v.left = append(v.seen, p), b[data:], v.left-1
	return true
}

// itemEnd returns where the item ends that starts at start, or 0 if there is no whole
// one; so it is also with a start of 0.
func itemEnd(b []byte, start int) int {
	if start <= 0 || start >= len(b) {
		return 0
	}
	n := msgpack.Span(b[start:])
	if n == 0 {
		return 0
	}
	return start + n
}

// fourItems is the header of an array of as many items.
const fourItems = 0x94

func (v *StateView) fail(err error) {
	if v.err == nil {
		v.err = fmt.Errorf("proto: state of %d properties, of which %d are read: %w", len(v.seen)+v.left, len(v.seen), err)
	}
}

// Deleted reports whether the entity is marked as deleted.
func (v *StateView) Deleted() bool {
	deleted, _ := v.Field(Deleted).AsBool()
	return deleted
}

// Err returns the first error that Field met since Reset.
func (v *StateView) Err() error { return v.err }
