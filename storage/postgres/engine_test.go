package postgres

import (
	"testing"

	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func open(t testing.TB, url string) *Engine {
	t.Helper()
	e, err := Open(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(t testing.TB) storage.Engine { return open(t, pgtest.Database(t)) })
	storagetest.RunDurable(t, func(t testing.TB) func(testing.TB) storage.Engine {
		url := pgtest.Database(t)
		return func(t testing.TB) storage.Engine { return open(t, url) }
	})
}
