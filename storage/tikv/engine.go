package tikv

import (
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// Engine is a storage engine over a prefix of a TiKV cluster, which several processes may
// use at the same time.
type Engine struct {
	*kv.Engine
	store *store
}

var _ interface {
	storage.Engine
	storage.Shared
	storage.Indexer
	storage.Explainer
	storage.Counter
	storage.Walker
} = (*Engine)(nil)

// Open returns the storage engine over what a URL names: tikv://pd1,pd2,pd3/prefix, where the
// addresses are those of the cluster's PDs, with a port unless it is 2379, and the prefix is
// the name of this store among others in the cluster. Parameters may follow: timeout, attempt,
// lease, poll, keep, ca, cert and key stand for the Options of that name.
//
// An empty prefix is made ready. One that holds something else is refused with
// storage.ErrCorrupt, one that a newer program has written with kv.ErrNewer, and a cluster
// that does not answer within the timeout is storage.ErrUnavailable.
func Open(ctx context.Context, url string, o Options) (*Engine, error) {
	p, err := parseURL(url, &o)
	if err != nil {
		return nil, err
	}
	s, err := openStore(ctx, p, o)
	if err != nil {
		return nil, err
	}
	settings := o.KV
	settings.Turn = func(ctx context.Context) (func(), error) { return s.tryLock(ctx, "indexes") }
	e, err := kv.Open(ctx, s, settings)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tikv: open %s: %w", p.prefix, err), s.Close())
	}
	return &Engine{Engine: e, store: s}, nil
}

// Join implements storage.Shared. A feed is held by a lease; every commit reads the lease, and
// locks what another process has to lock to take it.
func (e *Engine) Join(ctx context.Context) (id.NodeID, error) {
	return e.store.join(ctx)
}

// View implements storage.Shared.
func (e *Engine) View(ctx context.Context) (storage.View, error) {
	if err := e.store.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.store.gate.Leave()
	n, err := e.store.now(ctx)
	if err != nil {
		return nil, err
	}
	return kv.ViewOf(e.Engine, n), nil
}

// Wake implements storage.Shared. Others' feeds are looked at from the first call on.
func (e *Engine) Wake() <-chan struct{} {
	e.store.wakes.once.Do(func() {
		if e.store.gate.Enter(context.Background()) == nil {
			defer e.store.gate.Leave()
			e.store.work.Go(e.store.watch)
		}
	})
	return e.store.wakes.wake
}

// Lock implements storage.Shared.
func (e *Engine) Lock(ctx context.Context, name string) (unlock func(), err error) {
	return e.store.lock(ctx, name)
}
