//go:build unix

package pgtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestEachDatabaseIsNewAndUTF8InBytesOrder(t *testing.T) {
	for range 2 {
		conn := connect(t, Database(t))
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), "CREATE TABLE once (a text)"); err != nil {
			t.Error(err)
		}
		var encoding string
		var bytewise bool
		err := conn.QueryRow(t.Context(), "SELECT current_setting('server_encoding'), 'B' < 'a'").Scan(&encoding, &bytewise)
		if err != nil || encoding != "UTF8" || !bytewise {
			t.Errorf("encoding %s, bytes order %v, %v", encoding, bytewise, err)
		}
	}
}

func TestWhatIsCommittedSurvivesAKill(t *testing.T) {
	s := New(t, Durable...)
	url := s.Database(t)
	conn := connect(t, url)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (a int); INSERT INTO kept VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	s.Kill(t)
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a killed server answers")
	}
	s.Restart(t)
	conn = connect(t, url)
	defer conn.Close(t.Context())
	var a int
	if err := conn.QueryRow(t.Context(), "SELECT a FROM kept").Scan(&a); err != nil || a != 7 {
		t.Errorf("after the restart: %d, %v", a, err)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	var dir string
	t.Run("server", func(t *testing.T) {
		s := New(t, Fast...)
		dir = s.dir
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	// No process has this number: they are at most 2^22.
	stale := filepath.Join(os.TempDir(), dirPrefix+"99999999-stale")
	if err := os.Mkdir(stale, 0o700); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	removeStale()
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", stale, err)
	}
}
