package memory

import (
	"bytes"
	"context"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage"
)

// Count implements storage.Counter, in one page.
func (e *engine) Count(ctx context.Context, collection string, where ankql.Expr, after []byte, _ int) (*storage.CountPage, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	s := &ankql.Selection{Where: where, Limit: ankql.NoLimit}
	page := &storage.CountPage{}
	for _, rec := range e.disk.mu.records[collection] {
		if !rec.State.Deleted() && bytes.Compare(rec.Entity.Bytes(), after) > 0 && s.Matches(rec) {
			page.Count++
		}
	}
	return page, nil
}
