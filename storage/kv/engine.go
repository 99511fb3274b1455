package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Version is the layout that this program reads and writes.
const Version = 1

// ErrNewer is what Open returns for a store that a newer program has written.
var ErrNewer = errors.New("kv: the data was written by a newer version of Ankurah")

// Options are an engine's settings; the zero value has the defaults.
type Options struct {
	// ScanRows is how many rows one Scan examines at most where the order of the rows
	// is the selection's, so that it can stop and go on; default 16384.
	ScanRows int
	// ScanBytes is how many bytes of rows it examines at most, likewise; default 64 MiB.
	ScanBytes int
	// Homes is how many entities' collections are remembered, at about 60 bytes each,
	// so that finding a record by its entity takes one step instead of two; default
	// 32768, none if negative.
	Homes int
	// AutoIndexes is how many indexes a collection has at most that nobody has declared;
	// default 16, none if negative.
	AutoIndexes int
	// AutoIndexRows is how many rows a scan has examined at least before an index is made
	// for its selection; default 1024.
	AutoIndexRows int
	// IdleIndexes is how long an index that nobody has declared stays without being used;
	// default 30 days.
	IdleIndexes time.Duration
	// BuildRows is how many rows one step of building an index takes in at most, fewer where
	// they are large; default 256.
	BuildRows int
	// Planner says when selections are read by indexes; they are kept up in any case. The
	// default is by what that costs; the others are there to compare the answers.
	Planner Planner
	// Heads is how many bytes of records written last are remembered, so that an edit
	// on top of an edit takes one step instead of two; default 1 MiB, none if negative.
	Heads int
	// Turn, if it is given, is asked before indexes are built or removed, in a store that
	// several processes share: they take turns, or else they would do the same work twice and
	// get in each other's way. It does not wait: it returns how to end the turn, or nil when
	// it is another's. The engine asks again after Options.Patience, a second by default.
	Turn     func(ctx context.Context) (end func(), err error)
	Patience time.Duration
}

// Planner is how an engine decides between its indexes and the collection itself.
type Planner uint8

// The planners.
const (
	ByCost Planner = iota
	Always         // by an index wherever there is one
	Never
)

func (o *Options) ensureDefaults() {
	if o.ScanRows <= 0 {
		o.ScanRows = 16384
	}
	if o.ScanBytes <= 0 {
		o.ScanBytes = 64 << 20
	}
	if o.Homes == 0 {
		o.Homes = 32768
	}
	if o.AutoIndexes == 0 {
		o.AutoIndexes = 16
	}
	if o.AutoIndexRows <= 0 {
		o.AutoIndexRows = 1024
	}
	if o.IdleIndexes <= 0 {
		o.IdleIndexes = 30 * 24 * time.Hour
	}
	if o.BuildRows <= 0 {
		o.BuildRows = 256
	}
	if o.Heads == 0 {
		o.Heads = 1 << 20
	}
	if o.Patience <= 0 {
		o.Patience = time.Second
	}
}

// Engine implements storage.Engine over a Store.
type Engine struct {
	store   Store
	options Options
	homes   homes
	heads   heads

	catalogues catalogues
	usage      usage
	indexer    indexer

	gate storage.Gate
}

var _ storage.Engine = (*Engine)(nil)

// Open returns an engine over store, which it owns from then on: Close closes it. An
// empty store is made ready; one whose layout is newer is refused with ErrNewer, and
// one that holds something else with storage.ErrCorrupt. After an error the store is
// still the caller's.
func Open(ctx context.Context, store Store, options Options) (*Engine, error) {
	options.ensureDefaults()
	e := &Engine{store: store, options: options}
	e.homes.init(options.Homes)
	e.heads.init(options.Heads)
	e.catalogues.init()
	e.usage.init()
	e.indexer.init(e)
	if err := e.checkVersion(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) checkVersion(ctx context.Context) error {
	for {
		values, err := e.store.Get(ctx, [][]byte{versionKey})
		if err != nil {
			return fmt.Errorf("kv: open: %w", err)
		}
		if values[0] != nil {
			return judgeVersion(values[0])
		}
		// Another process may be opening the same empty store: then its version is there
		// when this one is refused.
		if err := e.writeVersion(ctx); !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}

func judgeVersion(stored []byte) error {
	switch {
	case len(stored) != 1 || stored[0] == 0:
		return fmt.Errorf("%w: layout version %x", storage.ErrCorrupt, stored)
	case stored[0] > Version:
		return fmt.Errorf("%w: its layout is version %d, and this program reads up to %d", ErrNewer, stored[0], Version)
	}
	return nil
}

func (e *Engine) writeVersion(ctx context.Context) error {
	pairs, err := e.store.Scan(ctx, Range{}, 1)
	if err != nil {
		return fmt.Errorf("kv: open: %w", err)
	}
	if len(pairs) > 0 && !bytes.Equal(pairs[0].Key, versionKey) {
		return fmt.Errorf("%w: the store holds data that is not Ankurah's", storage.ErrCorrupt)
	}
	err = e.store.Commit(ctx, &Writes{
		Checks: []Check{{Key: versionKey}},
		Puts:   []Pair{{Key: versionKey, Value: []byte{Version}}},
	})
	if err != nil {
		return fmt.Errorf("kv: open: %w", err)
	}
	return nil
}

// Close implements storage.Engine; it closes the store.
func (e *Engine) Close() error {
	e.indexer.stop()
	return e.gate.Close(e.store.Close)
}

// Records implements storage.Engine.
func (e *Engine) Records(ctx context.Context, entities []id.EntityID) ([]*proto.Record, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	return e.records(ctx, e.store, entities)
}

// Events implements storage.Engine.
func (e *Engine) Events(ctx context.Context, ids []id.EventID) ([]*proto.Event, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	return events(ctx, e.store, ids)
}

// EntityEvents implements storage.Engine.
func (e *Engine) EntityEvents(ctx context.Context, entity id.EntityID, after id.EventID, limit int) ([]*proto.Event, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	return entityEvents(ctx, e.store, entity, after, limit)
}

// Feed implements storage.Engine.
func (e *Engine) Feed(ctx context.Context, feed id.NodeID, after uint64, limit int) ([]*proto.FeedEntry, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	return feedEntries(ctx, e.store, feed, after, limit)
}

// Outbox implements storage.Engine.
func (e *Engine) Outbox(ctx context.Context, after uint64, limit int) ([]storage.OutboxEntry, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	pairs, err := e.store.Scan(ctx, afterKey([]byte{spaceOutbox}, outboxKey(after)), storage.PageSize(limit))
	if err != nil {
		return nil, err
	}
	entries := make([]storage.OutboxEntry, len(pairs))
	for i, p := range pairs {
		if len(p.Key) != 1+8 {
			return nil, fmt.Errorf("%w: outbox key of %d bytes", storage.ErrCorrupt, len(p.Key))
		}
		entries[i] = storage.OutboxEntry{Seq: binary.BigEndian.Uint64(p.Key[1:]), Data: p.Value}
	}
	return entries, nil
}

// Meta implements storage.Engine.
func (e *Engine) Meta(ctx context.Context, names ...string) ([][]byte, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	return meta(ctx, e.store, names)
}
