package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// Identity is what the metadata of a durable node's store says about whose data it holds.
type Identity struct {
	Node   id.NodeID   // whose feed an embedded node writes
	Store  id.StoreID  // zero where no node has been opened over it since it was restored
	System id.EntityID // zero where there is none yet
}

// What else a store can be than a durable node's.
var (
	// ErrEphemeral: it is an ephemeral node's, with what waits to be sent.
	ErrEphemeral = errors.New("the store is that of an ephemeral node")
	// ErrRestoring: a restore into it has not been brought to its end.
	ErrRestoring = errors.New("the store is being restored")
)

// MetaRestoring is the key of the metadata under which a restore keeps how far it is; no
// node opens a store that has it.
const MetaRestoring = "restoring"

// ReadIdentity reads the identity of a store that no node of this process has opened. It is
// zero for a store that was never used.
func ReadIdentity(ctx context.Context, store storage.Reader) (found Identity, err error) {
	meta, err := store.Meta(ctx, MetaRestoring, metaSource, metaNode, metaStore, metaSystem)
	switch {
	case err != nil:
		return found, err
	case meta[0] != nil:
		return found, ErrRestoring
	case meta[1] != nil:
		return found, ErrEphemeral
	}
	for i, u := range []*id.ULID{&found.Node.ULID, &found.Store.ULID, &found.System.ULID} {
		if b := meta[2+i]; b != nil {
			if *u, err = id.FromBytes(b); err != nil {
				return found, fmt.Errorf("%w: identity: %w", storage.ErrCorrupt, err)
			}
		}
	}
	return found, nil
}

// RestoredMetadata returns what makes a store that was filled by other means than a node's
// commits that of a durable node of a system, whose feed, of which last is the last entry,
// has the node's id. It is a new store: the first node that opens it names it.
func RestoredMetadata(system id.EntityID, node id.NodeID, last uint64) []storage.MetaEntry {
	return []storage.MetaEntry{
		{Key: metaNode, Value: node.Bytes()},
		{Key: metaSystem, Value: system.Bytes()},
		{Key: metaFeed, Value: encodeUint(last)},
	}
}
