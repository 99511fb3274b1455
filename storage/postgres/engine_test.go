package postgres

import (
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func open(t testing.TB, url string) *Engine {
	t.Helper()
	e, err := Open(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// schemas returns URLs of empty schemas in one database, which are quicker made than
// databases.
func schemas(t testing.TB) (next func() string) {
	url, n := pgtest.Database(t), 0
	return func() string {
		n++
		return fmt.Sprintf("%s&schema=s%d", url, n)
	}
}

func TestConformance(t *testing.T) {
	next := schemas(t)
	storagetest.Run(t, func(t testing.TB) storage.Engine { return open(t, next()) })
	storagetest.RunDurable(t, func(t testing.TB) func(testing.TB) storage.Engine {
		url := next()
		return func(t testing.TB) storage.Engine { return open(t, url) }
	})
}
