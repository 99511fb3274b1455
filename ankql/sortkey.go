package ankql

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// AppendSortKey appends the place of an entity in the selection's order: bytes.Compare of
// two keys orders their entities. The entity's id ends the key, so that no two are
// equal, and no key is the beginning of another. What lies behind a reference is NULL;
// AppendSortKeyWith follows references.
func (s *Selection) AppendSortKey(dst []byte, row Fields, e id.EntityID) []byte {
	return s.AppendSortKeyWith(dst, row, e, nil)
}

// AppendSortKeyWith is AppendSortKey for orders that follow references.
func (s *Selection) AppendSortKeyWith(dst []byte, row Fields, e id.EntityID, r Resolver) []byte {
	for i := range s.Order {
		f := Field{Path: s.Order[i].Path, Targets: s.Order[i].targets}
		dst = value.AppendKey(dst, f.Value(row, r), s.Order[i].KeyOrder())
	}
	return e.AppendTo(dst)
}
