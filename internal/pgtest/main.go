//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is the server of the tests that need no server of their own.
var shared struct {
	sync.Once
	server *Server
	err    error
}

// Database returns the URL of a new, empty database on the binary's shared server, which
// is Fast. The package's TestMain has to call Main.
func Database(t testing.TB) string {
	t.Helper()
	return Shared(t).Database(t)
}

// Shared returns the binary's shared server.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Do(func() { shared.server, shared.err = start(Fast) })
	if shared.err != nil {
		t.Fatalf("pgtest: %v", shared.err)
	}
	return shared.server
}

// Main runs the tests of a package, stops the shared server, and exits.
func Main(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.remove(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}
