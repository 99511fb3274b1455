package kv

import (
	"context"

	"github.com/ankurah-go/ankurah/storage"
)

var _ storage.Sizer = (*Engine)(nil)

// Size implements storage.Sizer, where the store does; else it is 0.
func (e *Engine) Size(ctx context.Context) (int64, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return 0, err
	}
	defer e.gate.Leave()
	if sizer, ok := e.store.(storage.Sizer); ok {
		return sizer.Size(ctx)
	}
	return 0, nil
}
