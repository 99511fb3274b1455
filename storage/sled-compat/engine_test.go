package sledcompat

import (
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func open(t testing.TB, dir string, opts ...Option) storage.Engine {
	t.Helper()
	e, err := Open(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func openTree(t testing.TB, dir, name string, opts ...Option) *Tree {
	t.Helper()
	db, err := OpenDB(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := db.Tree(name)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestEngine(t *testing.T) {
	storagetest.Run(t, func(t testing.TB) storage.Engine { return open(t, t.TempDir()) })
}

func TestEngineKeepsItsData(t *testing.T) {
	storagetest.RunDurable(t, func(t testing.TB) func(testing.TB) storage.Engine {
		dir := t.TempDir()
		return func(t testing.TB) storage.Engine { return open(t, dir) }
	})
}

// The tree has neighbours, whose keys it must not see.
func TestTreeIsAStore(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kvtest.Place {
		dir := t.TempDir()
		return kvtest.PlaceFunc(func(t testing.TB) kv.Store {
			tree := openTree(t, dir, "tree")
			for _, name := range []string{"tre", "tred", "tree", "tref", "\xff\xff\xff\xff", "trees"} {
				if name == "tree" {
					continue
				}
				neighbour, err := tree.db.Tree(name)
				if err != nil {
					t.Fatal(err)
				}
				b := Batch{}
				b.Insert([]byte("a"), []byte("theirs"))
				b.Insert(nil, []byte("theirs"))
				if err := neighbour.Apply(&b); err != nil {
					t.Fatal(err)
				}
			}
			return &store{tree}
		})
	})
}
