package core

import (
	"errors"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// A store that is being restored is nobody's until that is done, and then it is a new store
// with the system that it was a part of.
func TestRestoredStore(t *testing.T) {
	disk := memory.NewDisk()
	engine := disk.Open()
	if found, err := ReadIdentity(t.Context(), engine); err != nil || found != (Identity{}) {
		t.Fatalf("an unused store: %+v, %v", found, err)
	}
	write := func(entries ...storage.MetaEntry) {
		t.Helper()
		if err := engine.Commit(t.Context(), &storage.Batch{Meta: entries}); err != nil {
			t.Fatal(err)
		}
	}
	write(storage.MetaEntry{Key: MetaRestoring, Value: []byte{1}})
	if _, err := ReadIdentity(t.Context(), engine); !errors.Is(err, ErrRestoring) {
		t.Errorf("half restored: %v", err)
	}
	for _, durable := range []bool{true, false} {
		if _, err := Open(t.Context(), Options{Engine: disk.Open(), Durable: durable}); !errors.Is(err, ErrRestoring) {
			t.Errorf("a node over a half restored store, durable %v: %v", durable, err)
		}
	}
	system, node := id.EntityID{ULID: id.New(random(nil))}, id.NodeID{ULID: id.New(random(nil))}
	write(append(RestoredMetadata(system, node, 0), storage.MetaEntry{Key: MetaRestoring})...)
	n, err := Open(t.Context(), Options{Engine: disk.Open(), Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	root, ok := n.System()
	n.Close()
	found, err := ReadIdentity(t.Context(), disk.Open())
	if err != nil || !ok || root != system || found.System != system || found.Node != node || found.Store.IsZero() {
		t.Errorf("restored: %+v, %v; want system %s, node %s and a name", found, err, system, node)
	}
}

// A client's store is not taken for a durable node's.
func TestIdentityOfAnEphemeralStore(t *testing.T) {
	engine := memory.New()
	if err := engine.Commit(t.Context(), &storage.Batch{Meta: []storage.MetaEntry{{Key: metaSource, Value: []byte("x")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadIdentity(t.Context(), engine); !errors.Is(err, ErrEphemeral) {
		t.Errorf("%v, want that it is an ephemeral node's", err)
	}
}
