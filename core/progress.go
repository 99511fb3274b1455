package core

import (
	"context"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// progress is how far another durable node's store is followed: the position, and before it
// those that were the last ones under earlier epochs, the latest first. Where the store was
// set back to an older copy of itself, one of these is still known there.
type progress []proto.Position

func progressKey(of id.StoreID) string { return metaProgress + of.String() }

func progressIn(ctx context.Context, n *Node, of id.StoreID) (progress, error) {
	meta, err := n.engine.Meta(ctx, progressKey(of))
	if err != nil || meta[0] == nil {
		return nil, err
	}
	var t progress
	r := msgpack.NewReader(meta[0])
	for k := r.ArrayLen(proto.MaxFollow); k > 0 && r.Err() == nil; k-- {
		t = append(t, proto.ReadPosition(&r))
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: progress of %s: %w", storage.ErrCorrupt, of, err)
	}
	return t, nil
}

// entry returns what stores it; nothing if there is none.
func (t progress) entry(of id.StoreID) []storage.MetaEntry {
	if len(t) == 0 {
		return nil
	}
	b := msgpack.AppendArrayLen(nil, len(t))
	for _, p := range t {
		b = proto.AppendPosition(b, p)
	}
	return []storage.MetaEntry{{Key: progressKey(of), Value: b}}
}

// to returns the progress that has come to a further position.
func (t progress) to(p proto.Position) progress {
	switch {
	case len(p) == 0:
		return t
	case len(t) == 0:
		return progress{p}
	case sameEpochs(t[0], p):
		t = slices.Clone(t)
		t[0] = p
		return t
	}
	return append(progress{p}, t[:min(len(t), proto.MaxFollow-1)]...)
}

func sameEpochs(p, q proto.Position) bool {
	return slices.EqualFunc(p, q, func(a, b proto.Place) bool { return a.Epoch == b.Epoch })
}
