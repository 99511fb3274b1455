package ankurah

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// Collector is a model that names its collection itself.
type Collector interface{ Collection() string }

// Indexer is a model that declares indexes of several columns, in the notation of ORDER BY:
// "artist, year DESC", or "meta.genre" for what lies in a JSON property. Those of one
// column may be declared by the tag option index, or unique, as well. An index is built
// before the first selection needs it; it changes nothing but what selections cost.
type Indexer interface{ Indexes() []string }

// Ref is a reference to an entity of model T. The zero Ref refers to nothing, and is
// stored as null.
type Ref[T any] struct{ id.EntityID }

// AnkQLValue makes a Ref a parameter of a selection.
func (r Ref[T]) AnkQLValue() value.Value {
	if r.IsZero() {
		return value.Null
	}
	return value.ID(r.EntityID)
}

// refTarget lets a field of type Ref[T] say what it refers to without naming T.
func (Ref[T]) refTarget() reflect.Type { return reflect.TypeFor[T]() }

type reference interface{ refTarget() reflect.Type }

// ModelOf returns the model that a struct describes, or an error that names the field
// which cannot be a property.
func ModelOf[T any]() (*schema.Model, error) {
	m, err := mappingOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return m.model, nil
}

// mapping is how a struct's fields and a model's properties correspond.
type mapping struct {
	model  *schema.Model
	fields []fieldMapping
}

type fieldMapping struct {
	index int
	name  string
	codec codec
}

// codec converts between a field and a value.
type codec struct {
	get func(reflect.Value) (value.Value, error)
	set func(reflect.Value, value.Value) error
}

var mappings sync.Map // reflect.Type → mappingResult

type mappingResult struct {
	mapping *mapping
	err     error
}

func mappingOf(t reflect.Type) (*mapping, error) {
	if known, ok := mappings.Load(t); ok {
		r := known.(mappingResult)
		return r.mapping, r.err
	}
	m, err := makeMapping(t)
	mappings.Store(t, mappingResult{m, err})
	return m, err
}

func makeMapping(t reflect.Type) (*mapping, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: %s is not a struct", schema.ErrInvalid, t)
	}
	m := &mapping{model: &schema.Model{Collection: collectionOf(t)}}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("ankurah")
		if !ok || tag == "-" {
			continue
		}
		if !f.IsExported() {
			return nil, fmt.Errorf("%w: %s.%s has a tag but is not exported", schema.ErrInvalid, t, f.Name)
		}
		p, c, index, err := property(f.Type, tag)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		m.model.Properties = append(m.model.Properties, p)
		if index != nil {
			m.model.Indexes = append(m.model.Indexes, *index)
		}
		m.fields = append(m.fields, fieldMapping{i, p.Name, c})
	}
	if x, ok := reflect.New(t).Interface().(Indexer); ok {
		for _, columns := range x.Indexes() {
			index, err := parseIndex(columns)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t, err)
			}
			m.model.Indexes = append(m.model.Indexes, index)
		}
	}
	if err := m.model.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	return m, nil
}

// parseIndex reads columns in the notation of ORDER BY.
func parseIndex(columns string) (schema.Index, error) {
	s, err := ankql.Parse("ORDER BY " + columns)
	if err != nil {
		return schema.Index{}, fmt.Errorf("%w: index %q: %w", schema.ErrInvalid, columns, err)
	}
	var ix schema.Index
	for _, o := range s.Order {
		if o.Nulls != ankql.NullsDefault || s.Limit != ankql.NoLimit {
			return ix, fmt.Errorf("%w: index %q: an index has columns and DESC, and nothing else", schema.ErrInvalid, columns)
		}
		ix.Columns = append(ix.Columns, schema.IndexColumn{Path: o.Path, Desc: o.Desc})
	}
	return ix, nil
}

func collectionOf(t reflect.Type) string {
	if c, ok := reflect.New(t).Interface().(Collector); ok {
		return c.Collection()
	}
	return strings.ToLower(t.Name())
}

// property reads a field's tag and type, and the index that the tag declares, if any.
func property(t reflect.Type, tag string) (p schema.Property, c codec, index *schema.Index, err error) {
	parts := strings.Split(tag, ",")
	p = schema.Property{Name: parts[0]}
	asJSON := false
	for _, option := range parts[1:] {
		name, arg, _ := strings.Cut(option, "=")
		switch name {
		case "text":
			p.Kind = schema.KindText
		case "optional":
			p.Optional = true
		case "json":
			asJSON = true
		case "index", "unique":
			index = &schema.Index{Columns: []schema.IndexColumn{{Path: []string{p.Name}}}, Unique: name == "unique"}
		case "enum":
			p.Type = schema.TypeEnum
			p.Enum = strings.Split(arg, "|")
		default:
			return p, c, nil, fmt.Errorf("%w: unknown option %q", schema.ErrInvalid, option)
		}
	}
	if asJSON {
		p.Type = schema.TypeJSON
		return p, jsonCodec(), index, nil
	}
	c, err = codecOf(t, &p)
	return p, c, index, err
}

// codecOf returns how fields of type t are converted, and fills in the property's type.
func codecOf(t reflect.Type, p *schema.Property) (codec, error) {
	if t.Kind() == reflect.Pointer {
		c, err := codecOf(t.Elem(), p)
		p.Optional = true
		return pointerCodec(c), err
	}
	typ := p.Type
	set := func(t schema.Type) {
		if typ == "" {
			p.Type = t
		}
	}
	if ref, ok := reflect.Zero(t).Interface().(reference); ok {
		set(schema.TypeRef)
		p.Optional = true
		p.Target = collectionOf(ref.refTarget())
		return refCodec(), nil
	}
	if t == reflect.TypeFor[time.Time]() {
		set(schema.TypeTime)
		return timeCodec(), nil
	}
	switch t.Kind() {
	case reflect.String:
		set(schema.TypeString)
	case reflect.Bool:
		set(schema.TypeBool)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		set(schema.TypeInt)
	case reflect.Float32, reflect.Float64:
		set(schema.TypeFloat)
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return codec{}, fmt.Errorf("%w: a property cannot be a %s; give it the option json", schema.ErrInvalid, t)
		}
		set(schema.TypeBytes)
	default:
		return codec{}, fmt.Errorf("%w: a property cannot be a %s; give it the option json", schema.ErrInvalid, t)
	}
	return plainCodec(), nil
}

// plainCodec converts the kinds of Go that are kinds of values.
func plainCodec() codec {
	return codec{
		get: func(f reflect.Value) (value.Value, error) {
			switch {
			case f.Kind() == reflect.String:
				return value.String(f.String()), nil
			case f.Kind() == reflect.Bool:
				return value.Bool(f.Bool()), nil
			case f.CanInt():
				return value.Int(f.Int()), nil
			case f.CanUint():
				if f.Uint() > math.MaxInt64 {
					return value.Null, fmt.Errorf("%w: %d does not fit in 64 signed bits", schema.ErrValue, f.Uint())
				}
				return value.Int(int64(f.Uint())), nil
			case f.CanFloat():
				return value.Float(f.Float()), nil
			}
			return value.Bytes(f.Bytes()), nil
		},
		set: setPlain,
	}
}

func setPlain(f reflect.Value, v value.Value) error {
	if v.IsNull() {
		f.SetZero()
		return nil
	}
	switch {
	case f.Kind() == reflect.String:
		s, ok := v.AsString()
		f.SetString(s)
		return mustBe(ok, v, f)
	case f.Kind() == reflect.Bool:
		b, ok := v.AsBool()
		f.SetBool(b)
		return mustBe(ok, v, f)
	case f.CanInt():
		i, ok := v.AsInt()
		ok = ok && !f.OverflowInt(i)
		f.SetInt(i)
		return mustBe(ok, v, f)
	case f.CanUint():
		i, ok := v.AsInt()
		ok = ok && i >= 0 && !f.OverflowUint(uint64(i))
		f.SetUint(uint64(i))
		return mustBe(ok, v, f)
	case f.CanFloat():
		x, ok := v.AsFloat()
		f.SetFloat(x)
		return mustBe(ok, v, f)
	}
	b, ok := v.AsBytes()
	f.SetBytes(b)
	return mustBe(ok, v, f)
}

func mustBe(ok bool, v value.Value, f reflect.Value) error {
	if !ok {
		return fmt.Errorf("%w: %s does not fit into a %s", schema.ErrValue, v, f.Type())
	}
	return nil
}

func pointerCodec(inner codec) codec {
	return codec{
		get: func(f reflect.Value) (value.Value, error) {
			if f.IsNil() {
				return value.Null, nil
			}
			return inner.get(f.Elem())
		},
		set: func(f reflect.Value, v value.Value) error {
			if v.IsNull() {
				f.SetZero()
				return nil
			}
			f.Set(reflect.New(f.Type().Elem()))
			return inner.set(f.Elem(), v)
		},
	}
}

func timeCodec() codec {
	return codec{
		get: func(f reflect.Value) (value.Value, error) {
			return value.Int(f.Interface().(time.Time).UnixMicro()), nil
		},
		set: func(f reflect.Value, v value.Value) error {
			us, ok := v.AsInt()
			if v.IsNull() {
				f.SetZero()
				return nil
			}
			f.Set(reflect.ValueOf(time.UnixMicro(us).UTC()))
			return mustBe(ok, v, f)
		},
	}
}

func refCodec() codec {
	return codec{
		get: func(f reflect.Value) (value.Value, error) {
			e := f.Field(0).Interface().(id.EntityID)
			if e.IsZero() {
				return value.Null, nil
			}
			return value.ID(e), nil
		},
		set: func(f reflect.Value, v value.Value) error {
			e, ok := v.AsID()
			f.Field(0).Set(reflect.ValueOf(e))
			return mustBe(ok || v.IsNull(), v, f)
		},
	}
}

func jsonCodec() codec {
	return codec{
		get: func(f reflect.Value) (value.Value, error) {
			text, err := json.Marshal(f.Interface())
			if err != nil {
				return value.Null, fmt.Errorf("%w: %w", schema.ErrValue, err)
			}
			var tree any
			if err := json.Unmarshal(text, &tree); err != nil {
				return value.Null, fmt.Errorf("%w: %w", schema.ErrValue, err)
			}
			return value.JSON(tree)
		},
		set: func(f reflect.Value, v value.Value) error {
			text, ok := v.JSONText()
			if !ok {
				f.SetZero()
				return mustBe(v.IsNull(), v, f)
			}
			return json.Unmarshal([]byte(text), f.Addr().Interface())
		},
	}
}

// encode returns the fields of a struct.
func (m *mapping) encode(v reflect.Value) ([]proto.Field, error) {
	fields := make([]proto.Field, len(m.fields))
	for i, f := range m.fields {
		x, err := f.codec.get(v.Field(f.index))
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", m.model.Collection, f.name, err)
		}
		fields[i] = proto.Field{Name: f.name, Value: x}
	}
	return fields, nil
}

// decode fills a struct from what read returns for each property.
func (m *mapping) decode(v reflect.Value, read func(name string) value.Value) error {
	for _, f := range m.fields {
		if err := f.codec.set(v.Field(f.index), read(f.name)); err != nil {
			return fmt.Errorf("%s.%s: %w", m.model.Collection, f.name, err)
		}
	}
	return nil
}
