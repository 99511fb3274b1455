package schema

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/value"
)

// What can be wrong with a description or a value.
var (
	ErrInvalid  = errors.New("schema: invalid model")
	ErrValue    = errors.New("schema: invalid value")
	ErrConflict = errors.New("schema: models conflict")
)

// Limits of a model. They bound what a peer can make a node store and index.
const (
	MaxProperties = 512
	MaxNameLen    = 128
	MaxEnum       = 1024
	MaxEnumLen    = 256 // bytes of one text of an enum
)

// ReservedPrefix begins the collections that belong to the system; no user's model
// may have it.
const ReservedPrefix = "_ankurah_"

// ID is the name under which every entity shows its own id in selections.
const ID = "id"

// Sync is the name under which every entity shows, in selections, how far its row is in step
// with the durable node; no property can have it.
const Sync = "$sync"

// The states that Sync shows.
const (
	Synced  = "synced"  // what is shown is what the durable node has, as far as this node knows
	Pending = "pending" // changes made on this node wait for the durable node's word
	Refused = "refused" // changes made on this node were refused, and are kept to be decided about
)

// SyncStates is all states that Sync shows.
var SyncStates = [...]string{Synced, Pending, Refused}

// Type is what a property's values are.
type Type string

// The types of properties. The names are part of the formats and of the language's
// error messages. Time is an int64 of microseconds since 1970 UTC.
const (
	TypeBool   Type = "bool"
	TypeInt    Type = "int"
	TypeFloat  Type = "float"
	TypeString Type = "string"
	TypeBytes  Type = "bytes"
	TypeTime   Type = "time"
	TypeRef    Type = "ref" // the id of an entity
	TypeEnum   Type = "enum"
	TypeJSON   Type = "json"
)

// Kind says how concurrent changes to a property combine.
type Kind string

// The merge kinds. Until collaborative text is built, a property declared KindText
// merges as a whole by last writer, like KindLWW; its declaration is kept, so that it
// can become collaborative without a change to any model.
const (
	KindLWW  Kind = "lww"
	KindText Kind = "text"
)

// Property describes one property of a model.
type Property struct {
	Name     string
	Type     Type
	Kind     Kind        // zero means KindLWW
	Optional bool        // may be null; others are refused when null
	Default  value.Value // taken by a create that leaves the property out
	Target   string      // for TypeRef, the collection referred to; "" for any
	Enum     []string    // for TypeEnum, the allowed texts
}

// Model describes the entities of one collection.
type Model struct {
	Collection string
	Properties []Property
	Indexes    []Index // that engines keep from the start
}

// Property returns the property called name.
func (m *Model) Property(name string) (*Property, bool) {
	for i := range m.Properties {
		if m.Properties[i].Name == name {
			return &m.Properties[i], true
		}
	}
	return nil, false
}

// Validate reports what is wrong with m, or nil.
func (m *Model) Validate() error {
	if err := ValidateName("collection", m.Collection); err != nil {
		return err
	}
	if strings.HasPrefix(m.Collection, ReservedPrefix) {
		return fmt.Errorf("%w: collection %q: the prefix %q is reserved", ErrInvalid, m.Collection, ReservedPrefix)
	}
	if len(m.Properties) > MaxProperties {
		return fmt.Errorf("%w: collection %q has %d properties, more than %d", ErrInvalid, m.Collection, len(m.Properties), MaxProperties)
	}
	seen := make(map[string]bool, len(m.Properties))
	for i := range m.Properties {
		p := &m.Properties[i]
		if seen[p.Name] {
			return fmt.Errorf("%w: %s.%s is declared twice", ErrInvalid, m.Collection, p.Name)
		}
		seen[p.Name] = true
		if err := p.validate(); err != nil {
			return fmt.Errorf("%s: %w", m.Collection, err)
		}
	}
	if len(m.Indexes) > MaxIndexes {
		return fmt.Errorf("%w: collection %q has %d indexes, more than %d", ErrInvalid, m.Collection, len(m.Indexes), MaxIndexes)
	}
	for i := range m.Indexes {
		if err := m.Indexes[i].validate(m); err != nil {
			return err
		}
	}
	return nil
}

func (p *Property) validate() error {
	if err := ValidateName("property", p.Name); err != nil {
		return err
	}
	if p.Name == ID {
		return fmt.Errorf("%w: property name %q is taken by the entity's own id", ErrInvalid, ID)
	}
	switch p.Type {
	case TypeBool, TypeInt, TypeFloat, TypeString, TypeBytes, TypeTime, TypeJSON:
	case TypeRef:
		if p.Target != "" {
			if err := ValidateName("target", p.Target); err != nil {
				return fmt.Errorf("property %s: %w", p.Name, err)
			}
		}
	case TypeEnum:
		if err := p.validateEnum(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: property %s has unknown type %q", ErrInvalid, p.Name, clip(string(p.Type)))
	}
	switch p.Kind {
	case "", KindLWW:
	case KindText:
		if p.Type != TypeString {
			return fmt.Errorf("%w: property %s: kind text needs type string, not %s", ErrInvalid, p.Name, p.Type)
		}
	default:
		return fmt.Errorf("%w: property %s has unknown kind %q", ErrInvalid, p.Name, clip(string(p.Kind)))
	}
	if !p.Default.IsNull() {
		if err := p.Check(p.Default); err != nil {
			return fmt.Errorf("%w: default of %s: %w", ErrInvalid, p.Name, err)
		}
	}
	return nil
}

func (p *Property) validateEnum() error {
	if len(p.Enum) == 0 || len(p.Enum) > MaxEnum {
		return fmt.Errorf("%w: enum %s has %d values; it takes 1 to %d", ErrInvalid, p.Name, len(p.Enum), MaxEnum)
	}
	seen := make(map[string]bool, len(p.Enum))
	for _, text := range p.Enum {
		if len(text) > MaxEnumLen || !utf8.ValidString(text) {
			return fmt.Errorf("%w: enum %s has %q, which is not UTF-8 of at most %d bytes", ErrInvalid, p.Name, clip(text), MaxEnumLen)
		}
		if seen[text] {
			return fmt.Errorf("%w: enum %s has %q twice", ErrInvalid, p.Name, text)
		}
		seen[text] = true
	}
	return nil
}

// MergeKind returns the property's kind, with the default filled in.
func (p *Property) MergeKind() Kind {
	if p.Kind == "" {
		return KindLWW
	}
	return p.Kind
}

// Check reports whether the property takes v, which must already be of the right
// kind: Coerce converts what can be converted.
func (p *Property) Check(v value.Value) error {
	if v.IsNull() {
		if p.Optional {
			return nil
		}
		return fmt.Errorf("%w: %s may not be null", ErrValue, p.Name)
	}
	if want := p.ValueKind(); v.Kind() != want {
		return fmt.Errorf("%w: %s takes %s, not %s", ErrValue, p.Name, p.Type, v.Kind())
	}
	if s, ok := v.AsString(); ok {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%w: %s: text is not UTF-8", ErrValue, p.Name)
		}
		if p.Type == TypeEnum {
			return p.checkEnum(s)
		}
	}
	return nil
}

func (p *Property) checkEnum(s string) error {
	for _, allowed := range p.Enum {
		if s == allowed {
			return nil
		}
	}
	return fmt.Errorf("%w: %s takes one of %s, not %q", ErrValue, p.Name, choices(p.Enum), clip(s))
}

// choices lists what an enum allows, for an error message.
func choices(enum []string) string {
	const shown = 12
	if len(enum) <= shown {
		return strings.Join(enum, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(enum[:shown], ", "), len(enum))
}

// ValueKind returns the kind of value that the property stores.
func (p *Property) ValueKind() value.Kind {
	switch p.Type {
	case TypeBool:
		return value.KindBool
	case TypeInt, TypeTime:
		return value.KindInt
	case TypeFloat:
		return value.KindFloat
	case TypeBytes:
		return value.KindBytes
	case TypeRef:
		return value.KindID
	case TypeJSON:
		return value.KindJSON
	}
	return value.KindString
}

// ValidateName reports whether name can name a collection or a property: a letter or
// underscore followed by letters, digits, underscores and dashes, of any script.
func ValidateName(what, name string) error {
	if name == "" || len(name) > MaxNameLen || !utf8.ValidString(name) {
		return fmt.Errorf("%w: %s name %q must be 1 to %d bytes of UTF-8", ErrInvalid, what, clip(name), MaxNameLen)
	}
	for i, c := range name {
		if !unicode.IsLetter(c) && c != '_' && (i == 0 || !unicode.IsDigit(c) && c != '-') {
			return fmt.Errorf("%w: %s name %q has %q at byte %d; letters, digits, _ and - are allowed, a letter or _ first", ErrInvalid, what, name, c, i)
		}
	}
	return nil
}

// clip keeps what others wrote from filling an error message.
func clip(s string) string {
	if len(s) <= MaxNameLen {
		return s
	}
	n := MaxNameLen
	for n > MaxNameLen-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
