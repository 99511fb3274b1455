package core

import (
	"context"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage"
)

// Explain reads a selection from the node's own data as Fetch would, and says how its
// storage went about it: by which index, how many rows it read, how many it returned.
// Nothing is asked of another node. A selection that follows references is read in several
// steps, of which the last is explained, the one that finds the entities themselves. What
// narrows the principal's view is part of what is explained.
func (c *Context) Explain(ctx context.Context, collection string, s *ankql.Selection) (_ *storage.Explanation, err error) {
	defer wrap(&err, "explain")
	n := c.node
	checked, err := n.prepare(c.principal, collection, s)
	if err != nil {
		return nil, err
	}
	where, err := n.reading(c.principal, collection, checked).local(n.present(ctx))
	if err != nil {
		return nil, err
	}
	local := &ankql.Selection{Where: where, Limit: checked.Limit}
	if !slices.ContainsFunc(checked.Order, unkeptOrder) {
		local.Order = checked.Order
	}
	return storage.Explain(ctx, n.engine, collection, local, max(checked.Limit, 0))
}
