package kv

import (
	"bytes"
	"context"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
)

// catalogue returns the catalogue by which the batch maintains a collection's indexes, and
// makes the commit depend on its row (K5). One that was never read is taken to be empty,
// as most are; in doubt it is read.
func (p *commitPlan) catalogue(ctx context.Context, collection string) (*catalogue, error) {
	if c := p.catalogueOf(collection); c != nil {
		return c, nil
	}
	var c *catalogue
	var err error
	if p.doubt {
		p.engine.catalogues.forget(collection)
		c, err = p.engine.catalogue(ctx, collection)
	} else if c = p.engine.catalogues.get(collection); c == nil {
		c, err = readCatalogue(collection, nil)
	}
	if err != nil {
		return nil, err
	}
	p.catalogues = append(p.catalogues, c)
	return c, nil
}

// catalogueOf returns a catalogue that the commit depends on, or nil.
func (p *commitPlan) catalogueOf(collection string) *catalogue {
	for _, c := range p.catalogues { // a batch has few collections
		if c.collection == collection {
			return c
		}
	}
	return nil
}

// maintain brings the entries of an entity from the stored row, nil for none, to the new
// one, nil for none.
func (p *commitPlan) maintain(c *catalogue, entity id.EntityID, before []byte, after ankql.Fields) error {
	if len(c.maintained) == 0 {
		return nil
	}
	var old rowView
	listed := false // the entity had entries
	if before != nil {
		if err := old.reset(entity, before); err != nil {
			return err
		}
		listed = !old.state.Deleted()
	}
	for _, ix := range c.maintained {
		var was, is []byte
		if listed {
			was = ix.entryKey(&old, entity)
		}
		if after != nil {
			is = ix.entryKey(after, entity)
		}
		if bytes.Equal(was, is) {
			continue
		}
		if was != nil {
			p.set(was, nil)
		}
		if is != nil {
			p.put(is, nil)
		}
	}
	return old.err()
}
