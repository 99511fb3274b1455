package proto

import (
	"fmt"

	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// StateView reads an encoded state where it lies: a scan filters with it and decodes
// only what it keeps. It is reused from row to row, and valid for as long as the bytes
// that it was last reset to. It is not safe for concurrent use.
type StateView struct {
	head       []byte
	properties []propertyView
	err        error
}

type propertyView struct{ name, value []byte }

// Reset turns the view to the state that r reads next; errors stay in r. What it
// checks is what finding the properties takes; ReadState checks everything.
func (v *StateView) Reset(r *msgpack.Reader) {
	v.head, v.properties, v.err = nil, v.properties[:0], nil
	r.Array(3)
	if version := r.Uint(); r.Err() == nil && version != stateVersion {
		r.Fail(fmt.Errorf("proto: state of version %d, newer than this program's %d", version, stateVersion))
		return
	}
	v.head = r.Raw()
	for n := r.ArrayLen(MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		r.Array(4)
		p := propertyView{name: r.StringBytes()}
		r.Uint() // kind
		p.value = r.Raw()
		r.Bytes() // the kind's data
		v.properties = append(v.properties, p)
	}
}

// Head returns the encoded head, as AppendClock wrote it. Equal clocks have equal
// bytes.
func (v *StateView) Head() []byte { return v.head }

// Field returns the value of a property; one that was never set is null.
func (v *StateView) Field(name string) value.Value {
	for i := range v.properties {
		if string(v.properties[i].name) != name {
			continue
		}
		r := msgpack.NewReader(v.properties[i].value)
		field := value.Read(&r)
		if err := r.Done(); err != nil && v.err == nil {
			v.err = fmt.Errorf("proto: property %q: %w", name, err)
		}
		return field
	}
	return value.Null
}

// Deleted reports whether the entity is marked as deleted.
func (v *StateView) Deleted() bool {
	deleted, _ := v.Field(Deleted).AsBool()
	return deleted
}

// Err returns the first error that Field met since Reset.
func (v *StateView) Err() error { return v.err }
