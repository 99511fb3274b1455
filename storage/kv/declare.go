package kv

import (
	"context"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/plan"
)

var (
	_ storage.Indexer   = (*Engine)(nil)
	_ storage.Explainer = (*Engine)(nil)
)

// Declare implements storage.Indexer.
func (e *Engine) Declare(ctx context.Context, collection string, indexes []schema.Index) error {
	if err := e.gate.Enter(ctx); err != nil {
		return err
	}
	defer e.gate.Leave()
	declared := map[string]*plan.Index{}
	var names []string
	for i := range indexes {
		ix := plan.Declared(&indexes[i])
		if declared[ix.Name] == nil {
			names = append(names, ix.Name)
		}
		declared[ix.Name] = ix
	}
	return e.recatalogue(ctx, collection, nil, func(next *catalogue) {
		for _, ix := range next.indexes {
			if now := declared[ix.Name]; ix.state != dropping {
				ix.declared = now != nil
				ix.Unique = now != nil && now.Unique
			}
		}
		for _, name := range names {
			if next.find(name) == nil {
				next.add(declared[name], true)
			}
		}
	})
}

// Indexes implements storage.Indexer.
func (e *Engine) Indexes(ctx context.Context, collection string) ([]storage.IndexStatus, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	values, err := e.store.Get(ctx, [][]byte{catalogueKey(collection)})
	if err != nil {
		return nil, err
	}
	c, err := e.learn(collection, values[0])
	if err != nil {
		return nil, err
	}
	list := make([]storage.IndexStatus, len(c.indexes))
	for i, ix := range c.indexes {
		list[i] = storage.IndexStatus{Columns: ix.Name, Unique: ix.Unique, Declared: ix.declared, State: stateNames[ix.state]}
	}
	return list, nil
}

var stateNames = map[indexState]storage.IndexState{building: storage.IndexBuilding, ready: storage.IndexReady, dropping: storage.IndexDropping}

// Settle implements storage.Indexer.
func (e *Engine) Settle(ctx context.Context) error { return e.indexer.settled(ctx) }
