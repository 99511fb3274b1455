package postgres

import "github.com/ankurah-go/ankurah/storage/relational"

// arrayOf collects the values of a column, NULLs among them, for one argument.
type arrayOf interface {
	add(value any)
	slice() any
}

type array[T any] []*T

func (a *array[T]) add(value any) {
	if value == nil {
		*a = append(*a, nil)
		return
	}
	v := value.(T)
	*a = append(*a, &v)
}

func (a *array[T]) slice() any { return []*T(*a) }

// byteStrings is array for []byte, which has a nil of its own.
type byteStrings [][]byte

func (a *byteStrings) add(value any) {
	b, _ := value.([]byte)
	if value != nil && b == nil {
		b = []byte{}
	}
	*a = append(*a, b)
}

func (a *byteStrings) slice() any { return [][]byte(*a) }

func newArray(t relational.Type) arrayOf {
	switch t {
	case relational.Int:
		return &array[int64]{}
	case relational.Float:
		return &array[float64]{}
	case relational.Bool:
		return &array[bool]{}
	case relational.Bytes:
		return &byteStrings{}
	}
	return &array[string]{}
}
