package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func open(t testing.TB, path string) *Engine {
	t.Helper()
	e, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "a b%?c.db") }

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(t testing.TB) storage.Engine { return open(t, file(t)) })
	storagetest.RunDurable(t, func(t testing.TB) func(testing.TB) storage.Engine {
		path := file(t)
		return func(t testing.TB) storage.Engine { return open(t, path) }
	})
}
