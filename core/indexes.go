package core

import (
	"context"
	"sync"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/storage"
)

// declarations tells the engine of the indexes that models declare, in a goroutine of
// its own: models become known where nothing may wait for the disk.
type declarations struct {
	engine  storage.Indexer // nil if the engine keeps no indexes
	failed  func(op string, err error)
	changed chan struct{} // signalled when there is something to tell
	mu      struct {
		sync.Mutex
		waiting map[string][]schema.Index
		told    map[string]bool // collections of which the engine has heard here
	}
}

func (d *declarations) init(e storage.Engine, l *Listener) {
	d.engine, _ = e.(storage.Indexer)
	d.failed = l.failed
	d.changed = make(chan struct{}, 1)
	d.mu.waiting, d.mu.told = map[string][]schema.Index{}, map[string]bool{}
}

// tell has the engine told of a model's indexes. A model without any is not worth a word,
// unless it had some.
func (d *declarations) tell(m *schema.Model) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine == nil || len(m.Indexes) == 0 && !d.mu.told[m.Collection] {
		return
	}
	d.mu.waiting[m.Collection], d.mu.told[m.Collection] = m.Indexes, true
	signal(d.changed)
}

// work tells the engine until the context ends. What the engine refuses is lost until the
// model is next loaded: an index changes nothing but the cost of selections.
func (d *declarations) work(ctx context.Context) {
	for {
		select {
		case <-d.changed:
		case <-ctx.Done():
			return
		}
		for collection, indexes := range d.take() {
			if err := d.engine.Declare(ctx, collection, indexes); err != nil && ctx.Err() == nil {
				d.failed("declare indexes", err)
			}
		}
	}
}

func (d *declarations) take() map[string][]schema.Index {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := d.mu.waiting
	d.mu.waiting = map[string][]schema.Index{}
	return waiting
}

// indexesValue writes declared indexes as the catalog keeps them, a JSON list of [unique,
// [path, desc], …]; NULL for none.
func indexesValue(indexes []schema.Index) value.Value {
	if len(indexes) == 0 {
		return value.Null
	}
	list := make([]any, len(indexes))
	for i, ix := range indexes {
		entry := []any{ix.Unique}
		for _, c := range ix.Columns {
			path := make([]any, len(c.Path))
			for k, step := range c.Path {
				path[k] = step
			}
			entry = append(entry, []any{path, c.Desc})
		}
		list[i] = entry
	}
	v, _ := value.JSON(list) // texts and booleans are JSON
	return v
}

// indexesOf reads them back. What it cannot read it leaves out: no data depends on it.
func indexesOf(v value.Value) (indexes []schema.Index) {
	list, _ := v.Tree().([]any)
	for _, item := range list {
		entry, _ := item.([]any)
		if len(entry) < 2 {
			continue
		}
		var ix schema.Index
		ix.Unique, _ = entry[0].(bool)
		for _, item := range entry[1:] {
			column, _ := item.([]any)
			if len(column) != 2 {
				continue
			}
			var c schema.IndexColumn
			steps, _ := column[0].([]any)
			for _, step := range steps {
				text, _ := step.(string)
				c.Path = append(c.Path, text)
			}
			c.Desc, _ = column[1].(bool)
			ix.Columns = append(ix.Columns, c)
		}
		indexes = append(indexes, ix)
	}
	return indexes
}
