package postgres

import (
	"context"

	"github.com/ankurah-go/ankurah/storage"
)

var _ storage.Sizer = (*Engine)(nil)

// Size implements storage.Sizer: it is that of the schema's tables and their indexes.
func (e *Engine) Size(ctx context.Context) (bytes int64, err error) {
	if err := e.gate.Enter(ctx); err != nil {
		return 0, err
	}
	defer e.gate.Leave()
	err = e.pool.QueryRow(ctx, `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind = 'r'`, e.reader.Schema).Scan(&bytes)
	return bytes, classify(err)
}
