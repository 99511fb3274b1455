package sqlite

import (
	"context"

	"github.com/ankurah-go/ankurah/storage"
)

var _ storage.Sizer = (*Engine)(nil)

// Size implements storage.Sizer: it is that of the file, without the log beside it.
func (e *Engine) Size(ctx context.Context) (bytes int64, err error) {
	if err := e.gate.Enter(ctx); err != nil {
		return 0, err
	}
	defer e.gate.Leave()
	err = e.readers.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&bytes)
	return bytes, failed(ctx, err)
}
