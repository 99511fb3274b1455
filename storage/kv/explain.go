package kv

import (
	"context"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/plan"
)

// Explain implements storage.Explainer. It reads as Scan does, as often as it takes.
func (e *Engine) Explain(ctx context.Context, collection string, s *ankql.Selection, limit int) (*storage.Explanation, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	begun, limit := time.Now(), storage.PageSize(limit)
	x := &storage.Explanation{}
	var after []byte
	for {
		page, err := e.scan(ctx, e.store, collection, s, after, limit-x.Returned, func(sc *scan, a *access) {
			if after == nil {
				describe(x, a)
			}
			x.Entries += a.entries
			x.Rows += sc.examined
		})
		if err != nil {
			return nil, err
		}
		x.Returned, x.More, after = x.Returned+len(page.Records), page.More, page.Next
		if !page.More || x.Returned == limit {
			x.Took = time.Since(begun)
			return x, nil
		}
	}
}

var methodNames = map[plan.Method]storage.Method{
	plan.Nothing: storage.MethodNothing, plan.Lookup: storage.MethodLookup, plan.Primary: storage.MethodScan, plan.Walk: storage.MethodIndex, plan.Union: storage.MethodIndex,
}

func describe(x *storage.Explanation, a *access) {
	p := a.plan
	x.Plan, x.Method = p.String(), methodNames[p.Method]
	x.Sorted = !a.inOrder()
	if x.Ranges = len(p.Ranges); p.Method == plan.Lookup {
		x.Ranges = len(p.Entities)
	}
	for i, part := range a.parts {
		if i > 0 {
			x.Index += " and "
		}
		x.Index += part.index.Name
		if part.plan != p {
			x.Ranges += len(part.plan.Ranges)
		}
	}
	if p.Residual != ankql.True {
		x.Residual = p.Residual.String()
	}
}
