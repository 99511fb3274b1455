package schema

import (
	"fmt"
	"slices"
)

// Merge returns old grown by what next adds, and whether that is more than old.
// Properties may be added, an enum may gain values, a property may become optional,
// and the default and the target follow the latest description. Indexes are added. A
// changed type or kind is an ErrConflict, and then nothing is merged. Neither model is changed.
func Merge(old, next *Model) (merged *Model, grown bool, err error) {
	if old.Collection != next.Collection {
		return nil, false, fmt.Errorf("%w: collections %q and %q", ErrConflict, old.Collection, next.Collection)
	}
	merged = &Model{Collection: old.Collection, Properties: slices.Clone(old.Properties)}
	for i := range next.Properties {
		p := &next.Properties[i]
		q, known := merged.Property(p.Name)
		if !known {
			merged.Properties = append(merged.Properties, *p)
			grown = true
			continue
		}
		changed, err := q.absorb(p)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", old.Collection, err)
		}
		grown = grown || changed
	}
	if len(merged.Properties) > MaxProperties {
		return nil, false, fmt.Errorf("%w: %q would have %d properties, more than %d", ErrInvalid, old.Collection, len(merged.Properties), MaxProperties)
	}
	var more bool
	if merged.Indexes, more = MergeIndexes(old.Indexes, next.Indexes); len(merged.Indexes) > MaxIndexes {
		return nil, false, fmt.Errorf("%w: %q would have %d indexes, more than %d", ErrInvalid, old.Collection, len(merged.Indexes), MaxIndexes)
	}
	return merged, grown || more, nil
}

// absorb makes q, a property of the merged model, follow p.
func (q *Property) absorb(p *Property) (changed bool, err error) {
	if q.Type != p.Type {
		return false, fmt.Errorf("%w: %s has type %s and cannot become %s", ErrConflict, q.Name, q.Type, p.Type)
	}
	if q.MergeKind() != p.MergeKind() {
		return false, fmt.Errorf("%w: %s has kind %s and cannot become %s", ErrConflict, q.Name, q.MergeKind(), p.MergeKind())
	}
	for _, e := range p.Enum {
		if !slices.Contains(q.Enum, e) {
			q.Enum = append(slices.Clone(q.Enum), e)
			changed = true
		}
	}
	if len(q.Enum) > MaxEnum {
		return false, fmt.Errorf("%w: enum %s would have %d values, more than %d", ErrInvalid, q.Name, len(q.Enum), MaxEnum)
	}
	if p.Optional && !q.Optional {
		q.Optional, changed = true, true
	}
	if !p.Default.IsNull() && p.Default != q.Default {
		q.Default, changed = p.Default, true
	}
	if p.Target != "" && p.Target != q.Target {
		q.Target, changed = p.Target, true
	}
	return changed, nil
}
