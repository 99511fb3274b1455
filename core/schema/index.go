package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of the indexes of a model.
const (
	MaxIndexes      = 32 // of a model
	MaxIndexColumns = 8  // of an index
	MaxIndexSteps   = 8  // of the path of a column
)

// Index is an index that a model asks its engines to keep from the start, where they would
// otherwise make one when a selection has needed it. It changes what selections cost and
// nothing else.
type Index struct {
	Columns []IndexColumn // most significant first
	// Unique says that the columns' values, where none is null, are expected to be those of
	// one entity, which helps to choose between indexes. It is not enforced: nodes that
	// have not heard of each other may write the same value.
	Unique bool
}

// IndexColumn is one column of an index.
type IndexColumn struct {
	Path []string // a property, or one that holds JSON and the keys inside it
	Desc bool     // greatest first; null is then first too, as in ORDER BY
}

// String returns the columns in the notation of ORDER BY.
func (ix *Index) String() string {
	columns := make([]string, len(ix.Columns))
	for i, c := range ix.Columns {
		columns[i] = strings.Join(c.Path, ".")
		if c.Desc {
			columns[i] += " DESC"
		}
	}
	return strings.Join(columns, ", ")
}

func (ix *Index) equal(other *Index) bool {
	return slices.EqualFunc(ix.Columns, other.Columns, func(a, b IndexColumn) bool {
		return a.Desc == b.Desc && slices.Equal(a.Path, b.Path)
	})
}

// validate reports what is wrong with an index of m.
func (ix *Index) validate(m *Model) error {
	if n := len(ix.Columns); n == 0 || n > MaxIndexColumns {
		return fmt.Errorf("%w: an index of %s has %d columns; it takes 1 to %d", ErrInvalid, m.Collection, n, MaxIndexColumns)
	}
	for i, c := range ix.Columns {
		if err := c.validate(m); err != nil {
			return err
		}
		for _, before := range ix.Columns[:i] {
			if slices.Equal(before.Path, c.Path) {
				return fmt.Errorf("%w: index %s of %s has %s twice", ErrInvalid, clip(ix.String()), m.Collection, clip(strings.Join(c.Path, ".")))
			}
		}
	}
	return nil
}

func (c *IndexColumn) validate(m *Model) error {
	if n := len(c.Path); n == 0 || n > MaxIndexSteps {
		return fmt.Errorf("%w: a column of an index of %s has %d steps; it takes 1 to %d", ErrInvalid, m.Collection, n, MaxIndexSteps)
	}
	for _, step := range c.Path {
		if step == "" || len(step) > MaxNameLen {
			return fmt.Errorf("%w: a step of an index of %s has %d bytes; it takes 1 to %d", ErrInvalid, m.Collection, len(step), MaxNameLen)
		}
	}
	p, ok := m.Property(c.Path[0])
	if !ok {
		return fmt.Errorf("%w: an index of %s names %s, which is not a property", ErrInvalid, m.Collection, clip(c.Path[0]))
	}
	if len(c.Path) > 1 && p.Type != TypeJSON {
		return fmt.Errorf("%w: an index of %s goes on behind %s, which is not JSON; an index does not follow references", ErrInvalid, m.Collection, p.Name)
	}
	return nil
}

// MergeIndexes adds what next declares to old, by columns; whether one is unique follows
// the latest description.
func MergeIndexes(old, next []Index) (merged []Index, grown bool) {
	merged = slices.Clone(old)
	for i := range next {
		at := slices.IndexFunc(merged, func(have Index) bool { return have.equal(&next[i]) })
		switch {
		case at < 0:
			merged, grown = append(merged, next[i]), true
		case merged[at].Unique != next[i].Unique:
			merged[at].Unique, grown = next[i].Unique, true
		}
	}
	return merged, grown
}

// HasIndex reports whether a model declares an index with the same columns.
func (m *Model) HasIndex(ix *Index) bool {
	return slices.ContainsFunc(m.Indexes, func(have Index) bool { return have.equal(ix) })
}
